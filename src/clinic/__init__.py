"""Clinic gathers what a support engineer needs from a sick database cluster, into one sealed bundle."""

__version__ = "0.1.0"
