"""The quick tests on this Python, then all others, then the quick ones on every other from 3.10 to 3.13 found.

python tools/run_tests.py [--only-others]      what `make test` runs

The last line sums up all of them. A Python that is not there is listed as not run.
"""

from __future__ import annotations

import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "tests"
SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
CANNOT = 3
"""How tools/venv.sh ends when an interpreter can't make environments at all."""

QUICK = ("-m", "not lab and not slow and not soak", "-n", "2", "--dist", "loadfile")
"""What waits for nothing, on two cores; a module stays on one of them, with what its tests share."""

LONG = ("-m", "(lab or slow) and not soak")
"""One after the other: they watch processes and memory of the whole machine."""


@dataclass(frozen=True)
class Result:
    """How one suite ended on one Python."""

    python: str
    """Its version, as `3.12`."""

    suite: str
    """`quick` or `long`."""

    code: int
    """Pytest's exit status."""

    seconds: float
    """How long it took, without making the environment."""

    counts: tuple[int, int, int]
    """Passed, failed, skipped."""

    output: str = ""
    """What it printed, where that was kept back."""

    def __str__(self) -> str:
        passed, failed, skipped = self.counts
        end = "ok" if self.code == 0 else f"FAILED (exit status {self.code})"
        tests = f"{passed} passed, {failed} failed, {skipped} skipped"
        return f"  Python {self.python:<5} {self.suite:<6} {self.seconds:4.0f} s   {tests}   {end}"


def interpreters() -> dict[str, str]:
    """Path by version of each Python that this machine offers."""
    found = subprocess.run(
        ["sh", "tools/find_python.sh"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return dict(line.split(" ", 1) for line in found.stdout.splitlines())


def read_counts(report: Path) -> tuple[int, int, int]:
    """Passed, failed, skipped, as pytest's own report says; nothing where it wrote none."""
    if not report.exists():
        return 0, 0, 0
    suite = ET.parse(report).getroot().find("testsuite")
    number = {
        name: int(suite.get(name, 0)) if suite is not None else 0
        for name in ("tests", "failures", "errors", "skipped")
    }
    failed = number["failures"] + number["errors"]
    return number["tests"] - failed - number["skipped"], failed, number["skipped"]


def run_suite(python: Path, version: str, suite: str, select: tuple[str, ...], *, quiet: bool) -> Result:
    """Run the selected tests with `python`; a quiet run keeps its output back."""
    report = REPORTS / f"{version}-{suite}.xml"
    report.unlink(missing_ok=True)
    command = [str(python), "-m", "pytest", "-q", *select, f"--junitxml={report}"]
    if quiet:
        command += ["-p", "no:cacheprovider"]
    start = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )
    return Result(
        version, suite, done.returncode, time.monotonic() - start, read_counts(report), done.stdout or ""
    )


def run_other(version: str, path: str) -> Result | str:
    """Run the quick suite on another Python, in an environment that is kept; or say why it can't be run."""
    home = ROOT / f".venv-{version}"
    stamp = home / ".test"
    if not stamp.exists() or stamp.stat().st_mtime < (ROOT / "pyproject.toml").stat().st_mtime:
        command = ["sh", "tools/venv.sh", str(home), "test", path]
        made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if made.returncode == CANNOT:
            return f"  Python {version:<5} not run: {made.stderr.strip()}"
        if made.returncode != 0:
            return Result(version, "quick", made.returncode, 0.0, (0, 0, 0), made.stdout + made.stderr)
    return run_suite(home / "bin" / "python", version, "quick", QUICK, quiet=True)


def begin_store() -> subprocess.Popen[bytes]:
    """Begin to build the S3-compatible store that the tests of uploads use, where it is lacking: that takes minutes."""
    with (REPORTS / "s3store.log").open("wb") as log:
        return subprocess.Popen(
            ["nice", "-n", "19", sys.executable, "-m", "tests.lab.s3store"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def summary(results: list[Result], not_run: list[str]) -> str:
    """The table, and a last line that adds it up."""
    passed, failed, skipped = (sum(result.counts[i] for result in results) for i in range(3))
    broken = sum(result.code != 0 for result in results)
    soak = "  soak tests   not run: they take minutes and gigabytes; `make soak` runs them"
    total = f"{passed} passed, {max(failed, broken)} failed, {skipped} skipped"
    return "\n".join(["", *(str(result) for result in results), *not_run, soak, "", total])


def main(arguments: list[str]) -> int:
    """Run them, print what failed and the summary, and say by the exit status whether all passed."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    results: list[Result] = []
    if "--only-others" not in arguments:
        store = begin_store()
        results.append(run_suite(Path(sys.executable), here, "quick", QUICK, quiet=False))
        results.append(run_suite(Path(sys.executable), here, "long", LONG, quiet=False))
        store.wait()
    others = {version: path for version, path in interpreters().items() if version != here}
    print(f"\nThe quick tests on Python {', '.join(sorted(others)) or 'no other version'} ...", flush=True)
    # One after the other: discovery looks at every process of the machine, also at those of another run's tests.
    ends = [run_other(version, path) for version, path in others.items()]
    results += [end for end in ends if isinstance(end, Result)]
    not_run = [end for end in ends if isinstance(end, str)]
    not_run += [
        f"  Python {v:<5} not run: this machine has none" for v in SUPPORTED if v not in {here, *others}
    ]
    for result in results:
        if result.code != 0 and result.output:
            print(f"\n--- Python {result.python} ---\n{result.output}")
    print(summary(results, not_run))
    return 0 if all(result.code == 0 for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
