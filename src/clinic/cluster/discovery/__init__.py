"""Where a cluster's instances are learned from: one file for each way."""
