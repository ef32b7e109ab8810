"""The logs of an instance: which files they are, and the lines of these inside the window."""
