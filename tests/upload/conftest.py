"""Servers for the tests of uploads."""

from tests.client.servers import certificates, serve
from tests.receive.receiving import receiving
from tests.upload.stores import nginx, store

__all__ = ["certificates", "nginx", "receiving", "serve", "store"]
