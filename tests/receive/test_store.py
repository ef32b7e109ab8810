"""The receiver's store: what is on record is on the disk, and nothing from the wire decides where."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.receive.part import Part
from clinic.receive.problem import Problem
from clinic.receive.state import State, Wanted
from clinic.receive.store import DELETED, Limits, Store

DATA = os.urandom(3000)
NAME = "upload-0001"
SMALL = Limits(package=1_000_000, block=1000, keep_free=0)


def wanted(data: bytes = DATA, **more: str) -> Wanted:
    return Wanted(NAME, len(data), sha256=hashlib.sha256(data).hexdigest(), **more)


def put(store: Store, state: State, start: int, data: bytes) -> State:
    part = Part(store, state, start)
    try:
        part.write(data)
        return part.end()
    finally:
        part.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", SMALL)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60))))
def test_what_is_held_is_the_union_of_what_came(stretches: list[tuple[int, int]]) -> None:
    state = State(Wanted(NAME, 60), "anybody", 10, 0, "")
    came: set[int] = set()
    for start, end in stretches:
        if start < end:
            state = state.holding(start, end)
            came |= set(range(start, end))
    assert {at for start, end in state.held for at in range(start, end)} == came
    assert all(one[1] < two[0] for one, two in zip(state.held, state.held[1:], strict=False))
    assert state.offset == next(at for at in range(61) if at not in came)
    assert state.whole == (len(came) == 60)


def test_parts_in_any_order_make_the_package(store: Store) -> None:
    state = store.begin(wanted(filename="bank.tar.zst"), b"", "anybody")
    for start in (2000, 0, 1000):
        state = put(store, state, start, DATA[start : start + 1000])
    ended = store.finish(NAME, "anybody", "case 7")
    assert store.path(ended).read_bytes() == DATA
    assert store.path(ended).name == "package-bank.tar.zst"
    assert (ended.sha256, ended.issue) == (hashlib.sha256(DATA).hexdigest(), "case 7")
    assert store.finish(NAME, "anybody", "") == ended, "asked again, the same"


def test_what_is_complete_is_not_written_again(store: Store) -> None:
    state = store.begin(wanted(), b"", "anybody")
    for start in (0, 1000, 2000):
        state = put(store, state, start, DATA[start : start + 1000])
    put(store, state, 0, b"x" * 1000)
    ended = store.finish(NAME, "anybody", "")
    put(store, ended, 0, b"y" * 1000)
    assert store.path(ended).read_bytes() == DATA


def test_another_digest_at_the_end_lets_all_of_it_be_sent_again(store: Store) -> None:
    state = store.begin(wanted(), b"", "anybody")
    for start in (0, 1000, 2000):
        state = put(store, state, start, b"x" * 1000)
    with pytest.raises(Problem, match="SHA-256 differs") as caught:
        store.finish(NAME, "anybody", "")
    assert caught.value.status == 422
    assert store.find(NAME, "anybody").offset == 0


def test_the_header_of_a_diag_package_is_put_back(store: Store) -> None:
    payload, metadata = DATA[:900], b"encrypted metadata"
    whole = b"D1ag\x18" + len(metadata).to_bytes(3, "big") + metadata + payload
    announced = Wanted(NAME, 900, "c.diag", encryption="diag", sha256=hashlib.sha256(whole).hexdigest())
    put(store, store.begin(announced, metadata, "anybody"), 0, payload)
    ended = store.finish(NAME, "anybody", "")
    assert store.path(ended).read_bytes() == whole


def test_a_store_that_was_killed_is_read_as_it_was(store: Store) -> None:
    put(store, store.begin(wanted(), b"", "anybody"), 0, DATA[:700])
    store.close()
    again = Store(store.root, SMALL)
    state = again.begin(wanted(), b"", "anybody")
    assert state.offset == 700
    put(again, state, 700, DATA[700:1700])
    assert again.find(NAME, "anybody").offset == 1700


def test_two_receivers_in_one_directory_are_refused(store: Store) -> None:
    with pytest.raises(Problem, match="another receiver"):
        Store(store.root, SMALL)


def test_what_there_is_no_room_for_is_refused_before_a_byte_came(tmp_path: Path) -> None:
    with pytest.raises(Problem) as large:
        Store(tmp_path / "a", SMALL).begin(Wanted(NAME, 2_000_000), b"", "anybody")
    assert (large.value.status, large.value.body["largest"]) == (413, 1_000_000)
    with pytest.raises(Problem) as full:
        Store(tmp_path / "b", Limits(keep_free=1 << 60)).begin(wanted(), b"", "anybody")
    assert full.value.status == 507


def test_a_disk_that_fills_up_keeps_what_came(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", SMALL)
    state = put(store, store.begin(wanted(), b"", "anybody"), 0, DATA[:500])
    store.limits = Limits(block=1000, keep_free=1 << 60)
    with pytest.raises(Problem) as caught:
        put(store, state, 500, DATA[500:600])
    assert caught.value.status == 507
    assert store.find(NAME, "anybody").offset == 500


def test_nobody_else_sees_an_upload(store: Store) -> None:
    store.begin(wanted(), b"", "one")
    acts = (
        lambda: store.find(NAME, "two"),
        lambda: store.begin(wanted(), b"", "two"),
        lambda: store.delete(NAME, "two"),
    )
    for act in acts:
        with pytest.raises(Problem) as caught:
            act()
        assert caught.value.status == 404


def test_a_name_is_not_reused_for_other_bytes(store: Store) -> None:
    store.begin(wanted(), b"", "anybody")
    with pytest.raises(Problem) as caught:
        store.begin(wanted(DATA[1:]), b"", "anybody")
    assert caught.value.status == 409


def test_deletion_leaves_the_digest_alone(store: Store) -> None:
    state = store.begin(wanted(filename="secret-name"), b"", "anybody")
    put(store, state, 0, DATA[:1000])
    first = store.delete(NAME, "anybody")
    assert first["sha256"] == state.wanted.sha256
    assert store.delete(NAME, "anybody") == first, "asked again, the same"
    assert not (store.root / NAME).exists()
    assert "secret-name" not in (store.root / DELETED).read_text()


def test_what_nobody_goes_on_with_is_removed_and_what_is_complete_stays(store: Store, tmp_path: Path) -> None:
    put(store, store.begin(wanted(DATA[:900]), b"", "anybody"), 0, DATA[:900])
    store.finish(NAME, "anybody", "")
    store.begin(Wanted("upload-0002", 10), b"", "anybody")
    store.limits = Limits(unfinished=-1)
    assert store.sweep() == ["upload-0002"]


@pytest.mark.parametrize(
    "uuid", ["", "short", "../../../etc", "a/b/c/d/e", ".hidden-name", "x" * 129, "upload\n0001"]
)
def test_a_name_that_leads_elsewhere_is_refused(uuid: str) -> None:
    with pytest.raises(Problem) as caught:
        Wanted(uuid, 1)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "..", "a\0b", "b\u202ec", "x" * 500, "\u6570\u636e"]
)
def test_no_file_name_decides_a_place(name: str) -> None:
    local = Wanted(NAME, 1, name).local_name
    assert local.startswith("package")
    assert not set(local) & set("/\0\u202e")
    assert len(local) < 140


def test_all_is_readable_by_its_owner_alone(store: Store) -> None:
    put(store, store.begin(wanted(), b"", "anybody"), 0, DATA[:1000])
    store.delete(NAME, "anybody")
    store.begin(wanted(), b"", "anybody")
    for path in (store.root, *store.root.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_state_of_another_program_is_refused(store: Store) -> None:
    store.begin(wanted(), b"", "anybody")
    path = store.root / NAME / "upload.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": "other/9"}))
    with pytest.raises(Problem, match="can't be read"):
        store.find(NAME, "anybody")
