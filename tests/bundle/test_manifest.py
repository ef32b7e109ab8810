"""A manifest reads back as it was written, in the same bytes, and what is not a manifest is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.bundle.manifest import ClusterFacts, InstanceFacts, Manifest, Redaction, Run, WindowFacts
from clinic.bundle.record import Action, Attempt, Entry, FileEntry, Record
from clinic.errors import BadBundle
from clinic.outcome import Reason, Status

TEXT = st.text(max_size=20).filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text))
COUNT = st.integers(0, 2**63)
SECONDS = st.floats(0, 1e6)
DIGEST = st.text("0123456789abcdef", min_size=64, max_size=64)
OPTION = st.one_of(
    TEXT, st.integers(), st.floats(-1e9, 1e9), st.booleans(), st.none(), st.lists(TEXT).map(tuple)
)


def many(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Up to three of them, as a tuple."""
    return st.lists(strategy, max_size=3).map(tuple)


ENTRIES = st.builds(
    Entry, TEXT, TEXT, TEXT, st.sampled_from(["system", "logs"]), TEXT, TEXT, st.booleans(), TEXT, TEXT, TEXT,
    st.booleans(), st.none() | COUNT, st.booleans(), st.booleans(),
)  # fmt: skip
FILES = st.builds(
    FileEntry, TEXT, COUNT, COUNT, DIGEST, st.integers(-1, 2**63), st.dictionaries(TEXT, COUNT, max_size=3),
    st.none() | st.sampled_from(Reason), TEXT,
)  # fmt: skip
RECORDS = st.builds(
    Record, ENTRIES, st.sampled_from(Status), st.none() | st.sampled_from(Reason), TEXT, TEXT, TEXT, SECONDS,
    many(FILES), many(TEXT), many(st.builds(Action, TEXT, TEXT, TEXT, TEXT, TEXT, SECONDS)),
    many(st.builds(Attempt, TEXT, SECONDS, st.sampled_from(Status), st.none() | st.sampled_from(Reason), TEXT)),
)  # fmt: skip
RUNS = st.builds(
    Run, TEXT, TEXT, TEXT, TEXT,
    st.builds(
        ClusterFacts, TEXT, TEXT, many(TEXT), many(st.builds(InstanceFacts, TEXT, TEXT, TEXT, st.integers(), TEXT)),
        TEXT, TEXT, many(TEXT), many(TEXT),
    ),
    st.builds(WindowFacts, TEXT, TEXT, TEXT), TEXT, TEXT, st.booleans(), TEXT, TEXT, TEXT,
    st.dictionaries(TEXT, OPTION, max_size=4),
)  # fmt: skip
MANIFESTS = st.builds(
    Manifest, RUNS, TEXT, st.booleans(), st.none() | TEXT, st.builds(Redaction, TEXT, st.dictionaries(TEXT, COUNT)),
    many(RECORDS), many(FILES), st.dictionaries(TEXT, st.dictionaries(TEXT, OPTION, max_size=2), max_size=2),
    st.dictionaries(TEXT, st.dictionaries(TEXT, SECONDS, max_size=2), max_size=2),
)  # fmt: skip


@settings(max_examples=30)
@given(MANIFESTS)
def test_a_manifest_reads_back_as_it_was_written(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert Manifest.from_json(manifest.to_json()).to_json() == manifest.to_json()


@pytest.fixture(scope="session")
def manifest(run: Run, entry: Callable[..., Entry], file: Callable[..., FileEntry]) -> Manifest:
    """A small one with everything that the tests below break."""
    record = Record(
        entry("h1/a.txt"),
        Status.PARTIAL,
        Reason.TRUNCATED,
        files=(replace(file("h1/a.txt", b"abc"), dropped=-1),),
    )
    return Manifest(run, "2026-11-25T10:01:00Z", False, None, Redaction("1", {"url": 2}), (record,))


@given(data=st.data())
def test_a_manifest_that_was_cut_or_changed_is_read_or_refused_but_never_raises_otherwise(
    manifest: Manifest, data: st.DataObject
) -> None:
    raw = bytearray(manifest.to_json())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        Manifest.from_json(bytes(raw))
    except BadBundle as error:
        assert "\n" not in error.message


def test_the_order_of_what_has_no_order_does_not_change_the_bytes(manifest: Manifest) -> None:
    first = replace(manifest, footprint={"a": {"x": 1, "y": 2}, "b": {}})
    second = replace(manifest, footprint={"b": {}, "a": {"y": 2, "x": 1}})
    assert first.to_json() == second.to_json()


def test_it_is_indented_and_its_first_lines_say_what_it_is(manifest: Manifest) -> None:
    lines = manifest.to_json().decode().splitlines()
    assert lines[1] == ' "format": "clinic-bundle/1",'
    assert lines[2] == ' "totals": {'


def test_totals_count_items_files_and_bytes(manifest: Manifest) -> None:
    stated = json.loads(manifest.to_json())["totals"]
    assert stated["status"] == {"partial": 1}
    assert stated["category"] == {"system": {"items": 1, "files": 1, "plain": 3, "stored": 3}}


def test_a_bundle_is_complete_when_nothing_wanted_is_missing(manifest: Manifest) -> None:
    assert not manifest.complete
    whole = replace(manifest, records=(replace(manifest.records[0], status=Status.OK),))
    assert whole.complete
    assert not replace(whole, interrupted=True).complete


def test_a_field_that_a_newer_version_added_is_ignored(manifest: Manifest) -> None:
    found = json.loads(manifest.to_json())
    found["signature"] = {"by": "someone"}
    found["run"]["ticket"] = 7
    assert Manifest.from_json(json.dumps(found).encode()) == manifest


def test_a_name_that_is_no_utf_8_is_spelled_out(manifest: Manifest) -> None:
    odd = replace(manifest, ended="log\udcff.txt")
    assert Manifest.from_json(odd.to_json()).ended == "log\\udcff.txt"


def _set(*steps: str | int, to: object) -> Callable[[Any], None]:
    def change(found: Any) -> None:
        for step in steps[:-1]:
            found = found[step]
        found[steps[-1]] = to

    return change


def _drop(*steps: str | int) -> Callable[[Any], None]:
    def change(found: Any) -> None:
        for step in steps[:-1]:
            found = found[step]
        del found[steps[-1]]

    return change


FILE = ("records", 0, "files", 0)
WRONG: list[tuple[Callable[[Any], None], str]] = [
    (_set("format", to="clinic-bundle/2"),
     "manifest.json is of the format 'clinic-bundle/2', and this version of Clinic reads clinic-bundle/1"),
    (_drop("format"), "manifest.json is of no known format, and this version of Clinic reads clinic-bundle/1"),
    (_set("run", to=[]), "manifest.json: run is not an object"),
    (_drop("run", "cluster", "name"), "manifest.json: run.cluster.name is missing"),
    (_set("run", "cluster", "machines", to="h1"), "manifest.json: run.cluster.machines is not a list"),
    (_set("run", "root", to=1), "manifest.json: run.root is neither true nor false"),
    (_set("parent", to=7), "manifest.json: parent is not a text"),
    (_set("ended", to="\ud800"), "manifest.json: ended holds half a character"),
    (_set("redaction", "counts", "url", to=1.5), "manifest.json: redaction.counts.'url' is not a whole number"),
    (_set("records", 0, "status", to="fine"), "manifest.json: records[0].status is 'fine', which is no status"),
    (_set("records", 0, "reason", to="why"), "manifest.json: records[0].reason is 'why', which is no reason"),
    (_set(*FILE, "plain", to=True), "manifest.json: records[0].files[0].plain is not a whole number"),
    (_set(*FILE, "plain", to="3"), "manifest.json: records[0].files[0].plain is not a whole number"),
    (_set("records", 0, "seconds", to="1"), "manifest.json: records[0].seconds is not a number"),
    (_drop("totals"), "manifest.json: totals: is not an object"),
    (_set("totals", "status", to={"ok": 1}), "manifest.json: the totals are not those of its records"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_type_is_refused_with_the_name_of_its_field(
    manifest: Manifest, change: Callable[[Any], None], message: str
) -> None:
    found = json.loads(manifest.to_json())
    change(found)
    with pytest.raises(BadBundle) as caught:
        Manifest.from_json(json.dumps(found).encode())
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "manifest.json is not JSON in line 1 (it is cut short)"),
        (b"[]", "manifest.json is of no known format, and this version of Clinic reads clinic-bundle/1"),
        (
            b'{"a": 1, "a": 2}',
            "manifest.json is not JSON that can be trusted: 'a' is there twice in one object",
        ),
        (b'{"a": NaN}', "manifest.json is not JSON that can be trusted: NaN is no number"),
        (b"[" * 200_000, "manifest.json is not JSON that can be trusted: it is nested too deeply"),
        (b'{"a": "\xff"}', "manifest.json is not UTF-8 at byte 7"),
    ],
)
def test_json_that_is_broken_or_ambiguous_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(BadBundle) as caught:
        Manifest.from_json(raw)
    assert caught.value.message == message


def test_a_manifest_that_was_cut_short_says_so(manifest: Manifest) -> None:
    with pytest.raises(BadBundle, match="cut short"):
        Manifest.from_json(manifest.to_json()[:700])
