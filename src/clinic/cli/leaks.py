"""`clinic leaks`: whether anything in a finished bundle looks like what should not be there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from clinic.cli.output import print_json, say, table
from clinic.cli.progress import Bars
from clinic.cli.reading import identity_option, key_option, read_bundle
from clinic.errors import Refused, UsageError
from clinic.read.leakresults import keep_beside, keep_result
from clinic.read.leaks import Leak, canaries_in, find_leaks
from clinic.redact import SHIPPED
from clinic.redact.own_rules import own_rules
from clinic.secret import Secret
from clinic.units import plural

DOUBTFUL = "looks-random"
"""What words of no known shape are listed under."""


@click.command("leaks")
@click.argument("bundle", type=click.Path(path_type=Path))
@identity_option
@key_option
@click.option(
    "--canaries",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Values that were planted, one a line.",
)
@click.option(
    "--secrets", type=click.Path(path_type=Path), metavar="FILE", help="Secrets to look for, one a line."
)
@click.option(
    "--rules", type=click.Path(path_type=Path), metavar="FILE", help="Rules of your own, which add to ours."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    bundle: Path,
    identities: tuple[Path, ...],
    key: Path | None,
    canaries: Path | None,
    secrets: Path | None,
    rules: Path | None,
    as_json: bool,
) -> int:
    """Look through BUNDLE for credentials, and for names that were replaced in it.

    Every file is read, decompressed, with the rules, the names in your private map if the bundle has pseudonyms, and
    the values you give; each in every encoding that is known. File and line are printed, the value never. Secrets
    that were learned in the run are kept nowhere: they were looked for when it was sealed. Words that look as if they
    had been drawn by lot are listed as looks-random, for you to look at; they alone do not end it with code 5.
    The result goes into the packages that are made of BUNDLE, and into what stands beside it where it is one itself.

    \b
    Examples:
      clinic leaks clinic-db1-20261125T103000Z
      clinic leaks for-support --canaries planted.txt
      clinic leaks for-support --json
    """
    opened = read_bundle(bundle, identities, key)
    with Bars() as bars:
        result, leaks = find_leaks(
            opened,
            secrets=[Secret(line) for line in _lines(secrets)],
            canaries=_lines(canaries),
            rules=own_rules(rules) if rules is not None else SHIPPED,
            progress=bars,
        )
    if opened.sealed:
        keep_result(opened.id, result)
        if opened.package is not None:
            keep_beside(opened.package, opened.id, result)
    if as_json:
        print_json({**asdict(result), "leaks": [asdict(leak) for leak in leaks]})
    elif leaks:
        rows = [(leak.file, leak.line or "-", _rules(leak), _places(leak)) for leak in leaks]
        table(("FILE", "FIRST LINE", "RULES", "PLACES"), rows, right=(3,))
    if not as_json:
        if not result.found:
            say(f"Nothing was found in {plural(len(opened.files()), 'file')} with rules {result.rules}.")
        say("Secrets that were learned in the run are kept nowhere: they were looked for when it was sealed.")
    if result.found:
        raise Refused(
            f"{plural(result.found, 'place')} in {plural(len(result.files), 'file')} may hold what should not be there",
            hint="look at them before you hand the bundle to anybody",
        )
    return 0


def _rules(leak: Leak) -> str:
    return ", ".join((*leak.rules, *([DOUBTFUL] if leak.doubtful else [])))


def _places(leak: Leak) -> int:
    return sum(leak.rules.values()) + leak.doubtful


def _lines(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    try:
        return canaries_in(path)
    except OSError as error:
        raise UsageError(f"can't read {path}: {error.strerror}", hint="check its name") from error
