"""argv to a call, a printed line and an exit code."""
