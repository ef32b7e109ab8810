"""Every error that Clinic raises on purpose: what happened, what to do next, and the exit code.

Two places catch them: `clinic.cli.main` prints one line, `clinic.run` makes a record.
"""

from __future__ import annotations

from typing import ClassVar

from clinic.outcome import Reason, Status


class ClinicError(Exception):
    """The base of all errors that are meant for a person."""

    exit_code: ClassVar[int] = 1
    """The exit code of the command that ends with this error."""

    meaning: ClassVar[str] = "an error inside Clinic; please report it"
    """What the exit code means, for the documentation."""

    default_hint: ClassVar[str] = "run again with --verbose and report what it prints"
    """What to do next where the place that raises knows nothing better."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint if hint is not None else self.default_hint


class UsageError(ClinicError):
    """A command line, option value or configuration file that can't be understood."""

    exit_code = 2
    meaning = "the command line or a configuration file is wrong; nothing was done"
    default_hint = "see the command's --help"


class Incomplete(ClinicError):
    """The bundle is sealed and valid, and something that was wanted is not in it."""

    exit_code = 3
    meaning = "the bundle is sealed and valid, but something that was wanted is missing from it"
    default_hint = (
        "clinic inspect BUNDLE lists what is missing; clinic collect --resume BUNDLE tries it again"
    )


class NothingCollected(ClinicError):
    """A run whose selection matched nothing, or of which nothing at all could be read."""

    exit_code = 4
    meaning = "nothing was collected"
    default_hint = "clinic collect --dry-run shows what can be selected"


class Refused(ClinicError):
    """Something that Clinic will not do: unsafe, not allowed, or not confirmed."""

    exit_code = 5
    meaning = "refused: unsafe, not allowed, or not confirmed"
    default_hint = "see the message for what would have to change"


class BadBundle(ClinicError):
    """A bundle or package that is not what its manifest says, or not one at all."""

    exit_code = 6
    meaning = "the bundle or package is damaged, altered, unfinished, or of an unknown version"
    default_hint = "do not rely on it; ask for it again, or compare its id with the sender's"


class DiskFull(ClinicError):
    """No room on the disk for what had to be written."""

    exit_code = 7
    meaning = "the disk is full, or was about to be"
    default_hint = "free some space there, or name another place where the command takes one, then try again"


class Unreachable(ClinicError):
    """A host or server that a command can't do without did not answer."""

    exit_code = 8
    meaning = "a host or server that the command can't do without did not answer"
    default_hint = "check the address, the port and the network, then try again"


class Unconfirmed(ClinicError):
    """A package was sent, and the server took all of it without saying what it has."""

    exit_code = 9
    meaning = "the package was sent and all of it was taken, but the server did not say our digest"
    default_hint = "compare the digest with what the destination's operator has"


class Interrupted(ClinicError):
    """Stopped by Ctrl-C or SIGTERM; what was collected until then is sealed."""

    exit_code = 130
    meaning = "stopped by Ctrl-C or SIGTERM; what was collected is in a sealed bundle, an upload can be gone on with"
    default_hint = "clinic collect --resume BUNDLE goes on where it stopped"


class ItemError(Exception):
    """Why one item could not be had whole. It ends as that item's record, never as the run's end."""

    status: ClassVar[Status] = Status.FAILED
    transient: ClassVar[bool] = False
    """Whether the same thing may succeed a moment later."""

    later: ClassVar[bool] = False
    """Whether it is worth one more try when everything else is done, and none before."""

    def __init__(self, reason: Reason, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.fix = fix
        """What would make it succeed: a command, a grant, a package; empty where nothing would."""


class Skip(ItemError):
    """Nothing to collect here: by choice, not applicable, tool absent, or not permitted."""

    status = Status.SKIPPED


class Failed(ItemError):
    """It was tried and did not work."""

    status = Status.FAILED


class Unready(Failed):
    """Its server has said for longer than an election takes that it can't answer for the moment."""


class Retryable(ItemError):
    """It did not work, and may work in a moment: a refused connection, a 503."""

    status = Status.FAILED
    transient = True


class NotAsked(Failed):
    """Its server gave no answer to what was asked before, so it was not even asked."""

    later = True


class NotYet(Retryable):
    """Its server says that it can't answer for the moment: it has no leader, or too much to do."""

    later = True

    def __init__(self, reason: Reason, message: str, *, fix: str = "", after: float = 1.0) -> None:
        super().__init__(reason, message, fix=fix)
        self.after = after
        """Seconds after which to ask again."""


class TimedOut(ItemError):
    """Its deadline passed."""

    status = Status.TIMED_OUT


class Silent(TimedOut):
    """Its server took the question and did not begin to answer in time."""

    later = True


class Cancelled(ItemError):
    """The run was stopped."""

    status = Status.CANCELLED


class Partial(ItemError):
    """Raised after the last byte: what was yielded is worth keeping and is not all of it."""

    status = Status.PARTIAL
