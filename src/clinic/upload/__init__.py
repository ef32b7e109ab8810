"""Sends a package to the destination that a person agreed to: the only code that sends one anywhere."""
