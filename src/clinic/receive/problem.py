"""What the receiver answers instead of what was asked for."""

from __future__ import annotations


class Problem(Exception):
    """A refusal, as the sender sees it."""

    def __init__(self, status: int, code: str, message: str, **more: object) -> None:
        """`code` is for programs, `message` for people; `more` goes into the answer beside them."""
        super().__init__(message)
        self.status = status
        self.body: dict[str, object] = {"error": message, "code": code, **more}
