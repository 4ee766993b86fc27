"""One file a stage: which modules it needs, what it makes anew, and its loss."""
