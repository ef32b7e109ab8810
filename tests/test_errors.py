"""Errors and outcomes keep the promises that the rest of the code relies on."""

import pytest

from clinic import errors
from clinic.outcome import Reason, Status


def test_a_hint_can_be_given_and_has_a_default() -> None:
    assert errors.DiskFull("full").hint == errors.DiskFull.default_hint
    assert errors.DiskFull("full", hint="delete it").hint == "delete it"


@pytest.mark.parametrize(
    ("kind", "status", "transient"),
    [
        (errors.Skip, Status.SKIPPED, False), (errors.Failed, Status.FAILED, False),
        (errors.Retryable, Status.FAILED, True), (errors.TimedOut, Status.TIMED_OUT, False),
        (errors.Cancelled, Status.CANCELLED, False), (errors.Partial, Status.PARTIAL, False),
    ],
)  # fmt: skip
def test_an_item_error_carries_how_its_item_ends(
    kind: type[errors.ItemError], status: Status, transient: bool
) -> None:
    error = kind(Reason.NOT_FOUND, "it is not there", fix="make it")
    assert (error.status, error.transient, error.reason, error.fix) == (
        status,
        transient,
        Reason.NOT_FOUND,
        "make it",
    )
    assert str(error) == error.message == "it is not there"


def test_the_truth_of_a_status_is_an_error_since_it_would_be_a_guess() -> None:
    with pytest.raises(TypeError, match="compare a Status"):
        bool(Status.SKIPPED)


def test_what_counts_as_complete_and_what_is_tried_again() -> None:
    assert {status for status in Status if status.complete} == {Status.OK, Status.SKIPPED}
    assert {status for status in Status if status.resumable} == {
        Status.FAILED,
        Status.TIMED_OUT,
        Status.CANCELLED,
    }
