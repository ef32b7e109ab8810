#!/bin/sh
# Prints each Python from 3.10 to 3.13 that this machine offers, one a line: its version and its path.
#
#   sh tools/find_python.sh            all of them, the default first
#   sh tools/find_python.sh --default  the one that environments are made with; fails when there is none
#
# The default is `python3` on the PATH where that is new enough, else the newest found. PATH may be bare, so the
# places where pyenv, uv and hand-made installations put interpreters are looked at too.
set -u

minors="3.13 3.12 3.11 3.10"

# The version and the real path of the interpreter $1, or nothing when it doesn't run (a pyenv shim of a version
# that is not active) or can't make environments.
describe() {
    "$1" -I -c 'import ssl, sys, venv; print("%d.%d" % sys.version_info[:2], sys.executable)' 2>/dev/null
}

first_of() {
    minor=$1
    old_ifs=$IFS
    IFS=:
    set -- $PATH
    IFS=$old_ifs
    for dir in "$@" /usr/bin /usr/local/bin /opt/*/bin \
        "${PYENV_ROOT:-/nonexistent}"/versions/"$minor".*/bin "${HOME:-/nonexistent}"/.pyenv/versions/"$minor".*/bin \
        /root/.pyenv/versions/"$minor".*/bin "${HOME:-/nonexistent}"/.local/share/uv/python/*/bin
    do
        [ -x "$dir/python$minor" ] || continue
        found=$(describe "$dir/python$minor")
        case $found in
            "$minor "*) printf '%s\n' "$found"; return 0 ;;
        esac
    done
    return 1
}

default=$(describe python3)
case $default in
    "3."[0-9]" "* | "") default= ;;
esac
if [ -z "$default" ]; then
    for minor in $minors; do
        default=$(first_of "$minor") && break
    done
fi

if [ "${1:-}" = --default ]; then
    [ -n "$default" ] && printf '%s\n' "$default"
    exit
fi
[ -n "$default" ] && printf '%s\n' "$default"
for minor in $minors; do
    [ "$minor" = "${default%% *}" ] || first_of "$minor"
done
exit 0
