"""The question says what it has to, fits the terminal and can't be bent by whoever wrote the facts."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.consent.screens.draw import AGE, DIAG, HERE, PLAIN, SUPPORT, UNKNOWN, screens

from clinic.bundle.manifest import Redaction
from clinic.bundle.package import Kept, LeakResult, Package
from clinic.consent.destination import Destination
from clinic.consent.destinations import find_destination, shipped_destinations
from clinic.consent.notice import LANGUAGES, read_notice, read_words
from clinic.consent.policy import Policy
from clinic.consent.screen import Question, draw, matches
from clinic.formats.page import COLUMNS, width
from clinic.kinds import Category
from clinic.redact.privacy import Level
from clinic.redact.readable import stays

NOW = datetime(2026, 11, 25, 13, tzinfo=timezone.utc)


def shown(package: Package, destination: Destination, language: str = "en", now: datetime = NOW) -> str:
    """The text, on one line: where it is broken is no matter here."""
    notice = read_notice(destination.notice, language)
    return " ".join(draw(Question(package, destination, notice, Policy(), now)).split())


@pytest.mark.parametrize("file", screens())
def test_the_screen_is_the_one_that_was_read_and_agreed_on(file: str) -> None:
    """After a change of words: python -m tests.consent.screens.draw, and read what it wrote."""
    assert screens()[file] == (HERE / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("file", screens())
def test_no_line_is_longer_than_a_terminal(file: str) -> None:
    assert max(map(width, screens()[file].splitlines())) <= COLUMNS


FACTS = [
    "PingCAP, its employees and its vendors may transmit, store, copy and process", "Vendors are other companies",
    "to diagnose your cluster, and to improve TiDB. The two can't be split", "privacy policy of 23 April 2024",
    "https://www.pingcap.com/privacy-policy/", "It is stored in: United States",
    "It may be processed from: any country",
    "180 days", "legal@pingcap.com", "12 of the 364 files may", "--privacy identifiers replaces the values in SQL",
    "THE CERTIFICATE HAS EXPIRED: test, valid until 2022-10-13", "the destination's", "clinic inspect",
    "--without CATEGORY", "clinic consent withdraw", "Nothing was found (2026-11-25T12:20:00Z, rules 7)",
    "tikv-2: logs, config: the host did not answer", "15 places were masked", "You left out: debug",
    "orders, version v8.5.1",
    "2026-11-25T10:00:00+08:00 to 2026-11-25T12:00:00+08:00", "type the first 8 characters of the bundle id",
    "for 7 days", "clinic-orders-20261125T120000Z.diag to https://clinic.pingcap.com, run by PingCAP.",
    "Run by PingCAP", "https://clinic.pingcap.com (clinic-us)", "c" * 64, "abcdef0123456789" * 4,
]  # fmt: skip


@pytest.mark.parametrize("fact", FACTS)
def test_it_says(fact: str) -> None:
    assert fact in shown(DIAG, find_destination("clinic-us"))


ZH = [
    "PingCAP、其员工及其供应商可以传输、存储、复制和处理", "供应商是其他公司",
    "诊断您的集群", "改进 TiDB", "两者不能分开",
    "2024 年 4 月 23 日", "https://www.pingcap.com/privacy-policy/", "180 天", "中国大陆",
    "证书已过期", "撤回",
]  # fmt: skip


@pytest.mark.parametrize("fact", ZH)
def test_it_says_in_chinese(fact: str) -> None:
    squeezed = re.sub(r"\s", "", shown(DIAG, find_destination("clinic-cn"), "zh"))
    assert re.sub(r"\s", "", fact) in squeezed


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_but_the_vendor_has_the_vendors_notice(language: str) -> None:
    for there in (SUPPORT, UNKNOWN):
        assert "PingCAP" not in shown(AGE, there, language)
    assert "OPERATOR UNKNOWN" in shown(PLAIN, UNKNOWN, language)
    assert "OPERATOR UNKNOWN" not in shown(AGE, SUPPORT, language)


def test_what_was_not_looked_at_or_not_encrypted_is_said_loudly() -> None:
    bare = replace(PLAIN, leaks=LeakResult(""), kept=(), complete=False, missing=())
    text = shown(bare, UNKNOWN)
    assert "NOBODY LOOKED" in text
    assert "IT IS NOT ENCRYPTED" in text
    assert "names nothing that is in it" in text
    assert "The bundle is incomplete, and PACKAGE.json does not name what is missing." in text


def test_found_leaks_are_counted_and_their_files_named() -> None:
    text = shown(AGE, SUPPORT)
    assert "2 PLACES LOOK LIKE CREDENTIALS" in text
    assert "10.0.1.5/tidb.log.zst" in text


def test_a_key_that_is_not_the_destinations_is_pointed_out() -> None:
    text = shown(AGE, SUPPORT)
    assert "age1theirs (the destination's)" in text
    assert "age1ours (not the destination's" in text


def test_a_sensitivity_that_nobody_knows_is_taken_for_the_worst() -> None:
    odd = replace(PLAIN, kept=(Kept("logs", "harmless", 3, 10, 10), Kept("x", "public", 1, 1, 1)))
    text = shown(odd, SUPPORT)
    assert "3 of the 4 files may" in text
    assert "unknown (harmless)" in text


@pytest.mark.parametrize(
    ("package", "words"),
    [
        (PLAIN, "Nothing of that was replaced here"),
        (replace(PLAIN, redaction=Redaction("7", {"sql-literal": 9})), "were replaced here (9)"),
        (AGE, "Level identifiers is in force here"),
        (
            replace(PLAIN, kept=(Kept("system", "public", 1, 1, 1),)),
            "No file in it is of a kind that holds them",
        ),
    ],
)
def test_what_became_of_the_values_of_users(package: Package, words: str) -> None:
    assert words in shown(package, SUPPORT)


def test_values_in_sql_are_no_credentials() -> None:
    counts = {"password-key": 2, "sql-literal": 900, "privacy-identifiers": 40}
    assert "2 places were masked (rules of version 7)" in shown(
        replace(PLAIN, redaction=Redaction("7", counts)), SUPPORT
    )


def test_much_that_is_missing_is_counted() -> None:
    text = shown(replace(PLAIN, missing=tuple(f"host-{number}: logs" for number in range(100))), SUPPORT)
    assert "not in it (100):" in text
    assert "... and 80 more" in text


def test_a_certificate_that_is_valid_is_no_expired_one() -> None:
    then = datetime(2022, 1, 1, tzinfo=timezone.utc)
    assert "Certificate test, valid until 2022-10-13" in shown(DIAG, find_destination("clinic-us"), now=then)


ANYTHING = st.text(max_size=60)


@settings(max_examples=60)
@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, st.sampled_from(LANGUAGES))
def test_nobody_steers_the_terminal_or_adds_a_line(
    one: str, two: str, three: str, four: str, language: str
) -> None:
    package = replace(
        PLAIN, name=one, cluster=two, version=three, case=four, missing=(one, two), left_out=(three,),
        recipients=(four,),
        kept=(Kept(one, two, 1, 1, 1),), leaks=LeakResult(three, four, 1, (one,)), redaction=Redaction(two),
        privacy=three,
    )  # fmt: skip
    there = replace(SUPPORT, operator=one, region=two, terms=three, contact=four)
    text = draw(Question(package, there, read_notice("generic", language), Policy(), NOW))
    assert all(char.isprintable() or char == "\n" for char in text)
    assert max(map(width, text.splitlines())) <= COLUMNS
    # The question is the last thing that is read, once.
    assert text.rstrip("\n").endswith(("means no.", "表示不同意。"))


def test_a_value_like_a_place_for_one_is_only_a_value() -> None:
    odd = replace(PLAIN, cluster="{sha256}{0}{package.sha256}", case="%s {name!r:>99999999}")
    text = shown(odd, replace(SUPPORT, operator="{terms}"))
    assert "{sha256}{0}{package.sha256}" in text
    assert "%s {name!r:>99999999}" in text
    assert "Run by {terms}" in text


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_language_has_the_same_words_and_places() -> None:
    english = read_words("en")
    for language in LANGUAGES:
        words = {key: text for key, text in read_words(language).items() if not key.startswith("told:")}
        assert words.keys() == english.keys()
        assert all(_places(words[key]) == _places(english[key]) for key in english)
        assert words["version"] == english["version"]
        for name in ("pingcap", "generic", "letter"):
            ours, theirs = read_notice(name, language), read_notice(name, "en")
            assert ours.notice.version == theirs.notice.version == "1"
            assert _places(ours.words) == _places(theirs.words)


@pytest.mark.parametrize(
    ("typed", "bundle", "yes"),
    [
        ("abcdef01\n", PLAIN.bundle, True), (" abcdef01 \n", PLAIN.bundle, True), ("abcdef0", PLAIN.bundle, False),
        ("", "", False), ("", PLAIN.bundle, False), ("short", "short", False), ("ABCDEF01", PLAIN.bundle, False),
    ],
)  # fmt: skip
def test_what_counts_as_the_beginning_of_the_id(typed: str, bundle: str, yes: bool) -> None:
    assert matches(typed, bundle) is yes


def test_what_ships_with_clinic_is_said_in_chinese_too_and_nothing_that_does_not() -> None:
    """Its words are found by the English ones: one that was changed in one file only would be shown in English."""
    told = {
        text
        for there in shipped_destinations()
        for text in (there.region, there.processed, there.retention, there.contact)
    }
    for level in Level:
        for phrases in stays(level, map(str, Category)).values():
            told |= set(phrases)
    assert {key.removeprefix("told:") for key in read_words("zh") if key.startswith("told:")} == told


def test_a_name_of_the_customers_is_put_into_no_other_words() -> None:
    assert "id keys" in shown(replace(PLAIN, cluster_id="keys"), SUPPORT, "zh")
