"""Members to one file and back: `.tar.zst`, `.age`, `.diag`, parts. What a bundle is, nobody here knows."""
