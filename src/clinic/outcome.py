"""What can become of an item, and why: the two closed sets that every record is made of."""

from __future__ import annotations

import enum


class Status(str, enum.Enum):
    """How an item ended. A record has exactly one."""

    OK = "ok"
    """All of it is in the bundle."""

    PARTIAL = "partial"
    """Some of it is in the bundle; the reason says what is not."""

    SKIPPED = "skipped"
    """Left out by choice, not applicable here, or not permitted."""

    FAILED = "failed"
    """It was tried and it did not work."""

    TIMED_OUT = "timed_out"
    """Its deadline passed; what ran was killed."""

    CANCELLED = "cancelled"
    """The run was stopped before it ended."""

    def __str__(self) -> str:
        return str(self.value)

    def __bool__(self) -> bool:
        raise TypeError("compare a Status with its members; its truth would be a guess")

    @property
    def complete(self) -> bool:
        """Whether nothing that was wanted is missing (a required item that is skipped is another matter)."""
        return self in (Status.OK, Status.SKIPPED)

    @property
    def resumable(self) -> bool:
        """Whether `--resume` tries the item again."""
        return self in (Status.FAILED, Status.TIMED_OUT, Status.CANCELLED)


class Reason(str, enum.Enum):
    """Why a record is not plain `ok`; for programs. The message beside it is for people."""

    NOT_SELECTED = "not_selected"
    NOT_APPLICABLE = "not_applicable"
    TOOL_ABSENT = "tool_absent"
    NOT_FOUND = "not_found"
    NOT_PERMITTED = "not_permitted"
    UNSAFE = "unsafe"
    """Reading it could lead a privileged reader astray: a foreign link, a swapped file."""

    SECRET_FILE = "secret_file"
    """A private key or key store: never opened."""

    UNREACHABLE = "unreachable"
    BAD_ANSWER = "bad_answer"
    EXIT_STATUS = "exit_status"
    READ_ERROR = "read_error"
    EMPTY = "empty"
    """It answered, with nothing in it where there should be something."""

    DEADLINE = "deadline"
    STALLED = "stalled"
    TRUNCATED = "truncated"
    """Longer than its cap: the head and the tail are there, the cut is on record."""

    OVER_BUDGET = "over_budget"
    """The bundle's own size limit left no room."""

    DISK_FULL = "disk_full"
    INTERRUPTED = "interrupted"
    ROTATED_OUT = "rotated_out"
    GAP = "gap"
    SOME_FILES = "some_files"
    """A folder in which some of the files could not be had; the record lists them."""

    REDACTION_FAILED = "redaction_failed"
    SERVER_PROTECTED = "server_protected"
    """Left out to spare a server or host that was running short."""

    COLLECTOR_ERROR = "collector_error"
    """The collector itself raised: a defect of it, not of the cluster."""

    def __str__(self) -> str:
        return str(self.value)
