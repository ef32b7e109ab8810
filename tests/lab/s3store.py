"""An S3-compatible store over a directory, s3s-fs: found, or built from crates.io once and kept for the next time.

python -m tests.lab.s3store      builds it where it is lacking: minutes, so that it may be begun beforehand
"""

from __future__ import annotations

import fcntl
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.lab.program import SYSTEM_PATH, find_tool

NAME, VERSION = "s3s-fs", "0.14.1"
"""The crate, which is its program's name too."""

ABSENT = f"{NAME} is not installed, and there is no cargo here to build it"
"""Why it can't be had on a machine without Rust; Debian's own cargo is too old for it."""

BUILD_SECONDS = 1800
"""How long a build may take on a machine that does much else."""

CHEAP = {
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
    "CARGO_PROFILE_RELEASE_DEBUG": "0",
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "256",
}
"""What makes the build quick, and the program slow enough for nobody but a benchmark."""


class CannotBuild(Exception):
    """It can't be had; the text says why."""


def home() -> Path:
    """The account's own directory, whatever HOME says: tests and builds are given others."""
    return Path(pwd.getpwuid(os.geteuid()).pw_dir)


def cache() -> Path:
    """Where what was built is kept."""
    return home() / ".cache" / "clinic-lab" / f"{NAME}-{VERSION}"


def obtain_store(say: Callable[[str], None]) -> str:
    """The absolute path of the program, built first where it is lacking. Raises `CannotBuild`."""
    kept = cache() / "bin" / NAME
    found = _found(NAME)
    if found is not None:
        return found
    cargo = _found("cargo")
    if not kept.exists() and cargo is None:
        raise CannotBuild(ABSENT)
    if not kept.exists() and cargo is not None:
        _build_alone(cargo, kept, say)
    return str(kept)


def _found(name: str) -> str | None:
    """A program of the system's, or of Rust's usual places."""
    usual = [os.environ.get("CARGO_HOME", ""), str(home() / ".cargo"), "/usr/local/cargo", "/opt/cargo"]
    paths = [Path(one) / "bin" / name for one in usual if one]
    return find_tool(name) or next((str(path) for path in paths if os.access(path, os.X_OK)), None)


def _build_alone(cargo: str, kept: Path, say: Callable[[str], None]) -> None:
    """Build it, or wait for another who does."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not kept.exists():
            say(f"building {NAME} {VERSION} with cargo, once: some minutes")
            _build(cargo)


def _build(cargo: str) -> None:
    command = [cargo, "install", "--locked", NAME, "--version", VERSION, "--features", "binary", "-j2"]
    paths = f"{Path(cargo).parent}:{SYSTEM_PATH}"
    environment = {**os.environ, **CHEAP, "HOME": str(home()), "PATH": paths}
    try:
        done = subprocess.run(
            [*command, "--root", str(cache())], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=BUILD_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise CannotBuild(f"{NAME}: cargo did not build it in {BUILD_SECONDS} s") from error
    if done.returncode != 0:
        last = "; ".join(done.stderr.strip().splitlines()[-3:])
        raise CannotBuild(f"{NAME}: cargo could not build it: {last}")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{obtain_store(lambda text: None)}\n")
    except CannotBuild as why:
        sys.exit(str(why))
