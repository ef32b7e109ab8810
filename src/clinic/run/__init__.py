"""Carry out a plan: every item ends as exactly one record, then the bundle is sealed."""
