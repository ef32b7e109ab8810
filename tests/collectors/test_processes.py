"""What is told of the instances' processes, and what is not."""

from __future__ import annotations

from collections.abc import Callable

from clinic_collectors._processes import environment, open_files

Play = Callable[[str, str], bytes]
LIMITS = b"Limit     Soft Limit  Hard Limit  Units\nMax open files       1000000       1048576      files\n"


def test_only_variables_that_change_a_database_keep_their_value() -> None:
    environ = b"GOGC=100\0MYSQL_PWD=S3cr3t\0AWS_SECRET_ACCESS_KEY=abc\0MALLOC_CONF=prof:true\0odd\0"
    lines = environment({"environ": environ}).decode().splitlines()[1:]
    assert lines == ["AWS_SECRET_ACCESS_KEY=", "GOGC=100", "MALLOC_CONF=prof:true", "MYSQL_PWD=", "odd="]


def test_open_files_stand_beside_their_limits() -> None:
    held = b"/proc/7/fd/0\n/proc/7/fd/1\n/proc/12/fd/0\nfind: something else\n"
    told = open_files(
        {"held": held, "/proc/7/limits": LIMITS, "/proc/9/limits": LIMITS, "all": b"1603\t0\t2466170\n"}
    )
    assert told.decode().splitlines() == [
        "pid\topen\tsoft\thard",
        "7\t2\t1000000\t1048576",
        "9\t?\t1000000\t1048576",
        "12\t1\t?\t?",
        "# the machine: 1603 allocated, 2466170 at most (/proc/sys/fs/file-nr)",
    ]


def test_a_user_without_rights_sees_question_marks_or_a_refusal(play: Play) -> None:
    assert b"82\t" in play("debian-12", "processes.open-files")


def test_threads_of_the_instances_are_listed(play: Play) -> None:
    rows = play("debian-12", "processes.threads").decode().splitlines()
    assert rows[0].split()[:2] == ["PID", "TID"]
    assert {"mariadbd", "etcd"} <= {row.split()[-1] for row in rows}
