"""The JSON of a bundle has a shape that scripts can rely on."""

from __future__ import annotations

import json
from typing import Any, cast

from clinic.outcome import Reason, Status
from clinic.read import describe as module
from clinic.read.describe import contents, describe, of_all_hosts
from clinic.read.loudest import find, reading
from clinic.read.open import open_bundle

KEYS = {
    "": "ask bundle case cluster complete contents facts id interrupted items missing note parent "
    "run sealed totals window",
    "run": "ended machine options profile root started tool user version",
    "window": "from to zone",
    "cluster": "deployed differences hosts id instances name unknown version",
    "totals": "files items masked plain status stored",
    "contents": "category files host items missing plain stored",
    "missing": "count fixes hosts incomplete items messages reason status",
    "items": "category files fix foreign host id instance message path reason seconds sensitivity started status what",
}
LISTS = {"contents", "missing", "items"}


def part(found: Any, key: str) -> dict[str, Any]:
    """The object at `key`, the first one of a list; the whole where there is no key."""
    if key in LISTS:
        return cast("dict[str, Any]", found[key][0])
    return cast("dict[str, Any]", found[key] if key else found)


def test_the_shape_is_the_documented_one(bundle: Any, record: Any) -> None:
    failed = record("system.x", status=Status.FAILED, reason=Reason.EXIT_STATUS, message="exit status 1")
    root = bundle([record("storage.df", b"df\n"), failed])
    opened = open_bundle(root)
    found = describe(opened, find(opened.run, opened.records, reading(root)))
    assert json.loads(json.dumps(found)) == found
    for key, names in KEYS.items():
        assert sorted(part(found, key)) == names.split(), key
        assert all(f"`{name}`" in (module.__doc__ or "") for name in names.split()), (
            f"{key} is not documented"
        )
    assert found["id"] == opened.id
    assert found["totals"]["status"] == {"ok": 1, "failed": 1}
    assert found["items"][0]["files"][0]["path"] == "db1/storage/df.txt"
    assert found["missing"][0]["items"] == ["system.x"]


def test_contents_are_counted_by_category_and_host(record: Any) -> None:
    first, second = contents([record("a.a", b"xx"), record("b.b", b"xxx"), record("c.c", b"x", host="db2")])
    assert (first.host, first.items, first.files, first.plain, first.missing) == ("db1", 2, 2, 5, 0)
    assert second.host == "db2"


def test_the_contents_of_many_hosts_are_added_up_by_category(record: Any) -> None:
    records = [record("a.a", b"xx", host=f"db{n}") for n in range(4)]
    (total,) = of_all_hosts(contents([*records, record("a.b", b"y", host="")]))
    assert (total.category, total.host) == ("system", "4")
    assert (total.items, total.files, total.plain, total.missing) == (5, 5, 9, 0)
