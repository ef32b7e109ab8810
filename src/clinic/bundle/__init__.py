"""The bundle on disk: written by one writer, sealed by its manifest, verified by anyone."""
