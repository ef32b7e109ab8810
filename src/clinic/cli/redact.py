"""`clinic redact`: a bundle with the customer's names replaced, and what the redactor does."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from clinic.bundle.names import INDEX
from clinic.cli.output import print_json, say, say_readable, table
from clinic.cli.progress import Bars
from clinic.errors import UsageError
from clinic.formats.logindexer import LogIndexer
from clinic.kinds import Content
from clinic.read.open import open_bundle
from clinic.read.pseudonymise import pseudonymise
from clinic.redact import SHIPPED, Redactor, RuleSet
from clinic.redact.own_rules import own_rules
from clinic.redact.privacy import Level
from clinic.redact.readable import readable
from clinic.secret import SecretRegister


@click.command("redact")
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Directory of the new bundle.")
@click.option(
    "--privacy", type=click.Choice([str(level) for level in Level]), default="identifiers", show_default=True,
    help="What is replaced.",
)  # fmt: skip
@click.option(
    "--no-sql-literals", is_flag=True, help="Replace the values in SQL statements, at level none too."
)
@click.option(
    "--rules", type=click.Path(path_type=Path), metavar="FILE", help="Rules of your own, which add to ours."
)
@click.option("--list-rules", is_flag=True, help="Print the rules that mask credentials.")
@click.option("--explain", is_flag=True, help="Read text from standard input; print what is masked and why.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    bundle: Path | None, output: Path | None, privacy: str, no_sql_literals: bool, rules: Path | None,
    list_rules: bool, explain: bool, as_json: bool,
) -> int:  # fmt: skip
    """Make a new bundle from BUNDLE in which the customer's own names are replaced.

    Level identifiers replaces addresses, host names, user names, e-mail addresses and the values in SQL; strict
    also the names of databases, tables, columns and indexes, keys, and users' parts of paths. The same name has the
    same pseudonym in every file and every bundle of a cluster. The key and the list of names stay in your state
    directory; clinic unmask turns an answer back. BUNDLE itself stays as it is, with its names.

    \b
    Examples:
      clinic redact clinic-db1-20261125T103000Z -o for-support
      clinic redact clinic-db1-20261125T103000Z -o for-support --privacy strict
      clinic redact --list-rules
      clinic redact --explain < tidb.toml
      clinic redact clinic-db1-20261125T103000Z -o for-support --rules own-rules.yaml
    """
    chosen = own_rules(rules) if rules is not None else SHIPPED
    if list_rules:
        _list(chosen, as_json)
        return 0
    if explain:
        _explain(chosen, as_json)
        return 0
    if bundle is None or output is None:
        raise UsageError(
            "a bundle and a directory for the new one are needed", hint="clinic redact BUNDLE -o NEW"
        )
    opened = open_bundle(bundle)
    with Bars() as bars:
        sealed = pseudonymise(
            opened, output, Level(privacy), literals=no_sql_literals, rules=chosen,
            observers={INDEX: LogIndexer}, progress=bars,
        )  # fmt: skip
    stays = readable(
        Level(privacy),
        {record.entry.category for record in sealed.manifest.records},
        literals=no_sql_literals,
    )
    replaced = sum(sealed.manifest.redaction.counts.values())
    if as_json:
        print_json(
            {
                "bundle": str(output),
                "id": sealed.bundle_id,
                "parent": opened.id,
                "replaced": replaced,
                "readable": stays,
            }
        )
        return 0
    say(f"Made {output}: {replaced} places replaced. {output / 'PRIVACY.txt'} says what was, and what not.")
    say_readable(privacy, stays)
    say(f"Bundle id {sealed.bundle_id}")
    say(f"The parent {bundle} still holds the names: keep it or remove it.", colour="yellow")
    say(f"Next: clinic leaks {output}")
    return 0


def _list(rules: RuleSet, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "version": rules.version,
                "rules": [
                    {
                        "name": rule.name,
                        "version": rule.version,
                        "purpose": rule.purpose,
                        "pattern": rule.pattern,
                    }
                    for rule in rules.rules
                ],
            }
        )
        return
    table(("RULE", "VERSION", "PURPOSE"), [(rule.name, rule.version, rule.purpose) for rule in rules.rules])
    say(f"Rules of version {rules.version}. None can be switched off.")


def _explain(rules: RuleSet, as_json: bool) -> None:
    """What comes in on standard input, masked, and then each rule that did it."""
    stream = Redactor(SecretRegister(), rules).stream(Content.TEXT)
    masked = stream.feed(sys.stdin.buffer.read()) + stream.finish()
    text = masked.decode("utf-8", "replace")
    purposes = {rule.name: rule.purpose for rule in rules.rules}
    if as_json:
        print_json({"text": text, "rules": dict(stream.counts)})
        return
    say(text.rstrip("\n"))
    say()
    rows = [(name, count, purposes.get(name, "")) for name, count in sorted(stream.counts.items())]
    if rows:
        table(("RULE", "MASKED", "PURPOSE"), rows, right=(1,))
    else:
        say("Nothing was masked.")
