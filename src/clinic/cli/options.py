"""Option types and options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from clinic.errors import UsageError
from clinic.units import parse_size

if TYPE_CHECKING:
    _SizeBase = click.ParamType[int]
else:
    _SizeBase = click.ParamType


class SizeType(_SizeBase):
    """A size such as 500M."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes; fails as click does for a bad value."""
        if isinstance(value, int):
            return value
        try:
            return parse_size(str(value))
        except UsageError as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)


collector_option = click.option(
    "--collector", "collectors", multiple=True, metavar="NAME|FILE",
    help="Also run this third party's collector: an installed one by its name, or a YAML file.",
)  # fmt: skip
"""Third parties' collectors run only when they are named."""
