#!/bin/sh
# Installs Clinic from this directory, without the network.
#
#   sh install.sh DIR [PYTHON]
#
# makes the directory DIR with everything in it; remove DIR to be rid of it. PYTHON is an interpreter from 3.10 to 3.13;
# without it the newest on the PATH is taken. Nothing outside DIR is written.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

[ $# -ge 1 ] || fail "name the directory to install into: sh install.sh DIR [PYTHON]"
dir=$1
python=${2:-}

if [ -z "$python" ]; then
    for name in python3.13 python3.12 python3.11 python3.10 python3; do
        if command -v "$name" >/dev/null 2>&1; then
            python=$name
            break
        fi
    done
fi
[ -n "$python" ] || fail "no Python was found on the PATH; name one from 3.10 to 3.13: sh install.sh DIR PYTHON"

version=$("$python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])') || fail "$python does not run"
[ -f "$here/requirements-$version.txt" ] ||
    fail "$python is Python $version, and this archive is for 3.10 to 3.13; name another: sh install.sh DIR PYTHON"
[ ! -e "$dir" ] || fail "$dir is there already; name another directory, or remove it first"

# The environment gets its pip from the wheel beside this script: some systems keep theirs in a package of its own.
"$python" -m venv --without-pip "$dir" || fail "$python can't make an environment; install its venv module"
for pip in "$here"/pip-*.whl; do
    "$dir/bin/python" "$pip/pip" --disable-pip-version-check --no-cache-dir install --quiet \
        --no-index --find-links "$here" --only-binary :all: --require-hashes --requirement "$here/requirements-$version.txt" ||
        fail "pip refused (see above): the archive may be damaged, or made for another kind of machine"
done

"$dir/bin/clinic" --version
printf '\nNext, see what would be collected, then collect it:\n\n  %s collect --dry-run\n  %s collect\n' \
    "$dir/bin/clinic" "$dir/bin/clinic"
