"""The doors to a machine. Nothing else in the code runs a command or reads a machine's files."""
