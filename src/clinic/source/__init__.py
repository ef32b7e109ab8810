"""Where an item's bytes come from: a command, files, the lines of a log, a server."""
