"""Hostile servers for the doors."""

from tests.client.servers import certificates, serve

__all__ = ["certificates", "serve"]
