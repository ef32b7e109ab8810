"""What one does with a bundle once it is there: open it, sum it up. Runs on any system and needs no network."""
