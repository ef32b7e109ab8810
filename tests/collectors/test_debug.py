"""Evidence of the moment: by default none of it, in `quick` and `full` all but what costs the servers work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clinic import registry
from clinic.collector import Item, Target
from clinic.errors import UsageError
from clinic.plan import Selection, declare
from clinic.profile import find_profile
from clinic.redact import Redactor
from clinic.secret import SecretRegister


@pytest.fixture
def chosen(target: Callable[[str], Target]) -> Callable[..., set[str]]:
    """The ids of this collector's items that a selection takes of a cluster."""

    def ids(*include: str, exclude: tuple[str, ...] = ()) -> set[str]:
        [debug] = [one.collector for one in registry.builtin() if one.collector.name == "debug"]
        selection = Selection(include, exclude)
        plan = declare([(debug, False)], target("tiup"), selection, Redactor(SecretRegister()))
        return {one.entry.id for one in plan.items}

    return ids


def test_none_of_it_is_taken_by_default(chosen: Callable[..., set[str]]) -> None:
    assert chosen("default") == set()


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_quick_and_full_take_all_but_cpu_profiles(chosen: Callable[..., set[str]], profile: str) -> None:
    taken = chosen(*find_profile(profile).include)
    assert {"debug.goroutines", "debug.heap", "debug.mutex", "debug.cores"} <= taken
    assert "debug.cpu-profile" not in taken


@pytest.mark.parametrize("pattern", ["debug", "*", "debug.*", "debug.cpu*"])
def test_no_pattern_takes_a_cpu_profile(chosen: Callable[..., set[str]], pattern: str) -> None:
    assert "debug.cpu-profile" not in chosen(pattern)


def test_its_own_name_takes_it_and_an_exclusion_leaves_it_out(chosen: Callable[..., set[str]]) -> None:
    assert chosen("debug.cpu-profile") == {"debug.cpu-profile"}
    assert chosen("debug.cpu-profile", "default", exclude=("debug",)) == set()


def test_a_name_that_is_wrong_is_an_error(chosen: Callable[..., set[str]]) -> None:
    with pytest.raises(UsageError):
        chosen("debug.cpu-profil")


def test_core_files_are_listed_and_never_read(items: Callable[[str, str], list[Item]]) -> None:
    for item in [*items("tiup", "debug.cores"), *items("debian-12-servers", "debug.instance-cores")]:
        assert type(item.source).__name__ == "Listing"


def test_a_core_file_is_found_where_its_server_works(play: Callable[..., bytes]) -> None:
    rows = play("debian-12-servers", "debug.instance-cores", "db-1-3306").decode().splitlines()
    assert [row.split(",")[0] for row in rows if row.startswith("/")] == ["/var/lib/mysql/core.4711"]


def test_a_thread_says_where_it_waits(play: Callable[..., bytes]) -> None:
    lines = play("debian-12-servers", "debug.threads").decode().splitlines()
    assert any("/wchan:" in line for line in lines)
    assert any("/comm:mariadbd" in line for line in lines)


def test_a_follower_is_asked_itself_before_what_it_may_pass_on(
    items: Callable[[str, str], list[Item]],
) -> None:
    [pd] = [item for item in items("tiup", "debug.goroutines") if item.instance == "db-1-2379"]
    assert pd.source.what == (
        "GET http://db-1:2379/debug/pprof/goroutine?debug=1"
        " or GET http://db-1:2379/pd/api/v1/debug/pprof/goroutine?debug=1"
    )
