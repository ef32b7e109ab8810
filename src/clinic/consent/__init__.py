"""The decision to disclose one exact package to one destination, and what is kept of it."""
