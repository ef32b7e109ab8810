"""The door to another machine: the user's own OpenSSH client, one connection, a shell at its other end."""
