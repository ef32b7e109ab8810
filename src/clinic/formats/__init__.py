"""Pure functions over bytes: what the files of a cluster mean, with no door to any machine."""
