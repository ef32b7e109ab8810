"""A receiver for the tests here."""

from tests.receive.receiving import receiving

__all__ = ["receiving"]
