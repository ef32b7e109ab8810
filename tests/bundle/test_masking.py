"""Texts of headers and manifests lose their secrets; digests, paths and words of ours do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.manifest import Manifest, Option, Redaction, Run
from clinic.bundle.masking import Masker
from clinic.bundle.record import Action, Entry, FileEntry, Record
from clinic.bundle.writer import BundleWriter
from clinic.outcome import Status
from clinic.redact import SHIPPED, Redactor
from clinic.secret import SecretRegister


@pytest.fixture
def manifest(run: Run, entry: Callable[..., Entry], file: Callable[..., FileEntry]) -> Manifest:
    """One with a secret wherever there is a text."""
    counts = {rule.name: 3 for rule in SHIPPED.rules}
    record = Record(
        entry("h1/a.txt", what="mysql -h h1 --password=Tr0ub4dor&3"),
        Status.OK,
        message="connected to mysql://root:Tr0ub4dor&3@h1:4000/test",
        files=(replace(file("h1/a.txt", b"abc"), redactions=counts),),
        actions=(Action("command", "mysql -pTr0ub4dor&3", "h1", "root", "ok", 0.1),),
    )
    options: dict[str, Option] = {
        "password": "Tr0ub4dor&3",
        "include": ("default",),
        "deadline": 5.0,
        "max_size": None,
        "yes": True,
    }
    return Manifest(
        replace(run, options=options, note="login with password=Tr0ub4dor&3"), "t", False, "ab" * 32,
        Redaction(SHIPPED.version, counts), (record,), hosts={"h1": {"token": "Tr0ub4dor&3", "clock_offset": 0.5}},
    )  # fmt: skip


def test_every_secret_goes_and_every_fact_stays(manifest: Manifest, redactor: Redactor) -> None:
    masked = Masker(redactor).manifest(manifest)
    raw = masked.to_json()
    assert b"Tr0ub4dor" not in raw
    assert Manifest.from_json(raw) == masked
    assert tuple(masked.files()) == tuple(manifest.files())
    assert masked.redaction == manifest.redaction
    assert masked.totals == manifest.totals
    assert masked.run.options == {**manifest.run.options, "password": "***"}
    assert masked.hosts == {"h1": {"token": "***", "clock_offset": 0.5}}
    assert masked.records[0].entry.what == "mysql -h h1 --password=***"


def test_masking_twice_changes_nothing_more(manifest: Manifest, redactor: Redactor) -> None:
    once = Masker(redactor).manifest(manifest)
    assert Masker(redactor).manifest(once) == once


@pytest.mark.parametrize("word", ["records", "derived", "category", "interrupted", "files", "stored"])
def test_a_secret_that_is_a_word_of_the_format_does_not_break_the_manifest(
    manifest: Manifest, redactor: Redactor, register: SecretRegister, word: str
) -> None:
    register.learn(word)
    masked = Masker(redactor).manifest(replace(manifest, ended=f"with {word} in it"))
    assert Manifest.from_json(masked.to_json()) == masked
    assert masked.ended == "with *** in it"
    assert tuple(masked.files()) == tuple(manifest.files())
    assert b"Tr0ub4dor" not in masked.to_json()


def test_a_secret_that_is_part_of_a_digest_leaves_the_digest_alone(
    manifest: Manifest, redactor: Redactor, register: SecretRegister
) -> None:
    digest = manifest.records[0].files[0].sha256
    register.learn(digest[10:22])
    assert Masker(redactor).manifest(manifest).records[0].files[0].sha256 == digest


def test_what_is_learned_later_is_masked_from_then_on(redactor: Redactor, register: SecretRegister) -> None:
    masker = Masker(redactor)
    assert masker.text("say open-sesame") == "say open-sesame"
    register.learn("open-sesame")
    assert masker.text("say open-sesame") == "say ***"
    assert masker.path("h1/open-sesame:4000.txt") == "h1/%2A%2A%2A%3A4000.txt"


def test_the_journals_first_line_holds_no_secret(
    tmp_path: Path, redactor: Redactor, run: Run, entry: Callable[..., Entry]
) -> None:
    options: dict[str, Option] = {"password": "Tr0ub4dor&3", "include": ("default",)}
    header = Header(replace(run, options=options), (entry("h1/a.txt", what="mysql -pTr0ub4dor&3"),))
    with BundleWriter.create(tmp_path / "b", header, redactor, reserve=0) as writer:
        assert b"Tr0ub4dor" not in (tmp_path / "b/journal.jsonl").read_bytes()
        assert writer.header.run.options["include"] == ("default",)
