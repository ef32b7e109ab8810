"""A damaged age file and a wrong identity are told apart; the files are made by the `age` command."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.container import age
from clinic.container.ageheader import header_defect
from clinic.errors import BadBundle, UsageError

PLAIN = bytes(range(256)) * 3


@dataclass(frozen=True)
class Made:
    """Files that age made, and the identities of two people."""

    files: tuple[bytes, ...] = field(repr=False)
    """For the first recipient; for him and two others; for him and a key of ssh."""

    ours: Path
    """The identity of the first recipient."""

    recipient: str
    """The first recipient."""

    other: Path
    """An identity of nobody whom a file is for."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    if shutil.which("age") is None:
        pytest.skip("needs the age command")
    folder = tmp_path_factory.mktemp("age")
    keys = [_identity(folder / f"key{number}") for number in range(4)]
    (folder / "ssh.pub").write_text(_ssh_key())
    ours = ["-r", keys[0]]
    files = [
        _age(*ours), _age(*ours, "-r", keys[1], "-r", keys[2]), _age("-R", folder / "ssh.pub", *ours),
    ]  # fmt: skip
    return Made(tuple(files), folder / "key0", keys[0], folder / "key3")


def _identity(path: Path) -> str:
    subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    done = subprocess.run(["age-keygen", "-y", path], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _ssh_key() -> str:
    """The public half of an Ed25519 key: RFC 8032's first."""
    point = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    words = (b"ssh-ed25519", point)
    blob = b"".join(len(word).to_bytes(4, "big") + word for word in words)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}\n"


def _age(*words: str | Path) -> bytes:
    return subprocess.run(["age", *words], input=PLAIN, check=True, capture_output=True).stdout


def opened(data: bytes, identity: Path, recipients: Sequence[str] = ()) -> bytes:
    with age.decrypting(BytesIO(data), "x.age", age.identities_in(identity), recipients) as plain:
        return b"".join(iter(lambda: plain.read(100), b""))


def test_what_age_made_is_sound_and_opened(made: Made) -> None:
    for data in made.files:
        assert header_defect(BytesIO(data)) == ""
        assert opened(data, made.ours) == PLAIN


def test_an_identity_of_somebody_else_is_a_wrong_key(made: Made) -> None:
    for data in made.files:
        with pytest.raises(UsageError, match=r"no identity that was given opens x\.age"):
            opened(data, made.other, [made.recipient])


@given(st.data())
def test_any_damage_is_told_to_whom_it_is_for(made: Made, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(made.files))
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = data.draw(
        st.sampled_from(
            (
                whole[:at],
                whole[:at] + whole[at + 1 :],
                whole[:at] + whole[at : at + 1] + whole[at:],
                *(whole[:at] + bytes((whole[at] ^ 1 << bit,)) + whole[at + 1 :] for bit in range(8)),
            )
        )
    )
    if broken == whole:
        return
    with pytest.raises(BadBundle, match=r"x\.age is damaged"):
        opened(broken, made.ours, [made.recipient])


@given(st.data())
def test_a_header_whose_structure_is_broken_is_damaged_whoever_reads_it(
    made: Made, data: st.DataObject
) -> None:
    whole = data.draw(st.sampled_from(made.files))
    end = whole.index(b"\n", whole.index(b"--- "))
    at = data.draw(st.integers(0, end - 1))
    # What no header has anywhere: each is found before a key is tried.
    wrong = data.draw(st.sampled_from((b"\0", b"\xff", b"\r", b"\n\n", b"  ")))
    with pytest.raises(BadBundle, match=r"x\.age is damaged: "):
        opened(whole[:at] + wrong + whole[at + 1 :], made.other)
    with pytest.raises(BadBundle, match=r"x\.age is damaged: "):
        opened(whole[:at], made.other)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"", "its first line is not that of an age file"),
        (b"age-encryption.org/v2\n-> X25519 a\n", "its first line is not that of an age file"),
        (b"age-encryption.org/v1\n--- " + b"A" * 43 + b"\n", "its header names no recipient"),
        (b"age-encryption.org/v1\n-> X25519 AAAA\nAAAA\n", "what it holds for recipient 1 is damaged"),
        (b"age-encryption.org/v1\n-> else\n\n--- " + b"A" * 42 + b"B\n", "its header has no end"),
        (b"age-encryption.org/v1\n" + b"-> else\n\n" * 10_001, "its header has no end"),
    ],
)
def test_each_defect_has_its_words(header: bytes, told: str) -> None:
    assert header_defect(BytesIO(header)) == told
