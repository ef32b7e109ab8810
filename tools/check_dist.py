"""What is shipped works, not only the tree: build it, install it with nothing of ours around, make a bundle.

python tools/check_dist.py      what `make dist` runs; leaves the wheel and the sdist in dist/

Each step ends the check when it fails: two builds of one commit are the same bytes, the wheel holds our two
packages and nothing else, and installed alone (no developers' tools) it collects a bundle that verifies.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
ACCEPTED = {0, 3}
"""Exit codes of `clinic collect` on a machine that we don't know: complete, or incomplete and sealed."""


def run(*command: str | Path, accept: set[int] | None = None, env: dict[str, str] | None = None) -> None:
    """Show a command and run it at the top of the tree; any exit code but the accepted ends the check."""
    print("+", *command, flush=True)
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False)
    if done.returncode not in (accept or {0}):
        sys.exit(f"error: {command[0]} ended with {done.returncode}")


def commit_time() -> str:
    """Seconds since 1970 of the last commit: the time that both builds pretend it is."""
    told = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "315532800"


def build(into: Path, *only: str) -> list[Path]:
    """The sdist and the wheel made from it; or the wheel alone, with `--wheel`."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": commit_time()}
    run(sys.executable, "-m", "build", "--outdir", into, *only, env=environment)
    return sorted(into.iterdir())


def build_twice(scratch: Path) -> Path:
    """The wheel, once both builds have turned out byte-identical."""
    first, second = build(scratch / "first"), build(scratch / "second")
    for one, other in zip(first, second, strict=True):
        if not filecmp.cmp(one, other, shallow=False):
            sys.exit(f"error: two builds of {one.name} differ")
    print("both builds are the same, byte for byte")
    DIST.mkdir(exist_ok=True)
    for made in first:
        shutil.copy(made, DIST)
    return next(path for path in first if path.suffix == ".whl")


def install(wheel: Path, into: Path) -> Path:
    """The `clinic` command of an environment that holds the wheel and its dependencies, nothing else."""
    run(sys.executable, "-m", "venv", into)
    run(into / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", wheel)
    return into / "bin" / "clinic"


def main() -> None:
    """Build, look inside, install, collect, verify."""
    with tempfile.TemporaryDirectory(prefix="clinic-dist-") as folder:
        scratch = Path(folder)
        wheel = build_twice(scratch)
        run(sys.executable, "-m", "check_wheel_contents", "--toplevel", "clinic,clinic_collectors", wheel)
        clinic = install(wheel, scratch / "installed")
        own = {"HOME": str(scratch / "home"), "CLINIC_HOME": str(scratch / "home"), "PATH": "/usr/bin:/bin"}
        run(clinic, "--version", env=own)
        run(clinic, "collect", "local", "-y", "-o", scratch / "bundle", accept=ACCEPTED, env=own)
        run(clinic, "verify", scratch / "bundle", env=own)


if __name__ == "__main__":
    main()
