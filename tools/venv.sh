#!/bin/sh
# tools/venv.sh DIR run|test|dev [PYTHON]
#
# Makes the environment DIR with Clinic in it, as it is edited: alone (run), with what its tests need (test), or with
# all of the developers' tools (dev). Leaves a stamp DIR/.WHAT, which the Makefile compares with pyproject.toml.
set -eu

dir=$1
what=$2
python=${3:-}
here=$(dirname "$0")

say() { printf '%s\n' "$*" >&2; }

apt_install() {
    say "installing Debian's package $1: $2"
    DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$1" >&2 && return
    # A machine whose package lists were never fetched knows no package at all.
    apt-get -q update >&2 && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$1" >&2
}

can_apt() { [ "$(id -u)" = 0 ] && [ -x /usr/bin/apt-get ]; }

if [ -z "$python" ]; then
    found=$(sh "$here/find_python.sh" --default) || {
        can_apt && apt_install python3-venv "no Python 3.10 or newer was found here"
        found=$(sh "$here/find_python.sh" --default) || {
            say "error: no Python from 3.10 on was found. Install one (Debian: python3 and python3-venv), then run this again."
            exit 1
        }
    }
    python=${found#* }
fi

version=$("$python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if ! "$python" -I -c 'import ensurepip' 2>/dev/null; then
    # Debian keeps the part of venv that brings pip in a package of its own.
    if can_apt; then
        apt_install "python$version-venv" "Python $version here can't make environments without it" || true
    fi
    "$python" -I -c 'import ensurepip' 2>/dev/null || {
        say "error: $python can't make an environment: it lacks ensurepip. Install the package python$version-venv, then run this again."
        exit 3 # not 1: tools/run_tests.py lists a Python that can't as not run
    }
fi

# An environment made by an interpreter that is gone, or half made, is of no use.
if ! "$dir/bin/python" -m pip --version >/dev/null 2>&1; then
    say "making $dir with Python $version ($python)"
    "$python" -m venv --clear "$dir"
fi

pip() {
    "$dir/bin/python" -m pip --disable-pip-version-check install --quiet "$@" || {
        say "error: pip could not install what Clinic needs (see above)."
        say "On a machine that reaches no package index, use the archive that 'make wheelhouse' makes on one that does."
        exit 1
    }
}

say "installing into $dir: Clinic and its dependencies$([ "$what" = run ] || printf ', %s tools' "$what")"
case $what in
    run) pip --editable . ;;
    *)
        pip --upgrade 'pip>=25.1' # the first that reads dependency groups
        pip --editable . --group "$what"
        touch "$dir/.$what"
        ;;
esac
touch "$dir/.run"
