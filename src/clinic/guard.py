"""The one place, beside the command line's own, that catches what nobody expected."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from clinic.errors import ClinicError, Failed, ItemError
from clinic.outcome import Reason

T = TypeVar("T")


def guarded(call: Callable[[], T]) -> T:
    """What `call` gives. An error that is not Clinic's own becomes `Failed` with COLLECTOR_ERROR.

    A defect in one collector, source or parser costs its own item and never the bundle.
    """
    try:
        return call()
    except (ClinicError, ItemError):
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        raise Failed(
            Reason.COLLECTOR_ERROR,
            f"{type(error).__name__}: {error}{place}",
            fix="report it to the collector's author",
        ) from error
