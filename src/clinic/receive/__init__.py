"""The other end of an upload: the Clinic API, for a support team that runs it itself. An extra of its own."""
