"""A data set to weights that magicpose loads: one shared loop, one file a stage."""
