"""What runs on the node: a loop of POSIX shell that arrives through the connection and is written nowhere.

The loop always reads, so that it hears a call to stop while a command runs, and the end of the connection as the end
of its input: then it kills all that it started. It needs sh, and knows dash, bash and busybox; `setsid`, where there
is one, makes a process group of each command; what left its group is found in /proc by a variable that it inherited.
The grep of busybox sees of an environment only what is before the first NUL; where there is no other, the shell reads.
"""

from __future__ import annotations

from clinic.host.descendants import MARK

BOOT = (
    'exec /bin/sh -c \'LC_ALL=C; export LC_ALL; S=; N=$(printf "\\nx"); N=${N%x}; '
    'while IFS= read -r L; do test "$L" = . && break; S=$S$L$N; done; test "$L" = . && eval "$S"\''
)
"""The command that the login shell gets, whichever that is: bash, zsh, fish, csh. Reads the loop, then becomes it."""

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where commands are looked up on a node, whatever its login shell's PATH says."""

TOOLS = ("setsid", "nice", "ionice", "zstd", "gzip", "stat", "sudo")
"""Looked for at once, since they decide how things are done."""

HEAD = 65536
"""Bytes of a file that come with its opening."""

BLOCK = 512
"""Bytes of the blocks in which ranges are read."""

HOLD = 3607
"""Seconds after which what holds a file open ends by itself, should all else fail: then it is opened anew."""

SEPARATOR = "\x1e"
"""Begins every mark in the streams: a byte that text does not have, so that no text is held back."""

_FILES = r"""
E=$(printf '\036%s/' "$T"); A='%f %s %Y %u %g %h'
list_() {
  if [ $# -le 200 ]; then stat -c "$E$A %n" -- "$@"
  else printf '%s\0' "$@" | xargs -0 stat -c "$E$A %n" --; fi
  cut_; P=
  for F in "$@"; do
    D=${F%/*}; [ "$D" = "$P" ] && continue; P=$D
    case $D/ in /proc/*|/sys/*) continue ;; esac
    printf '%s' "$D/"; cut_; (cd -P -- "$D/" 2>/dev/null && pwd -P); cut_
  done
  return 0
}
lack_() { stat -L -c "$1 %a %u %g %G %n" -- "$2"; return 17; }
closed_() {
  W=$1; shift
  for D in "$@"; do
    [ -d "$D" ] || return 18
    [ -x "$D" ] || { lack_ x "$D"; return 17; }
  done
  [ "$W" = x ] || [ -r "$D" ] || { lack_ "$W" "$D"; return 17; }
  return 18
}
open_() {
  [ -f "$1" ] || { stat -L -c %f -- "$1" && return 12; return 18; }
  exec 4<"$1" || return 13
  X=$(stat -L -c "$A" /proc/self/fd/4) || return 14
  printf '%s' "$X"; cut_
  R=$(readlink /proc/self/fd/4; echo .)
  printf '%s' "${R%.}"; cut_
  case $R in /proc/*|/sys/*) printf 0; cut_; head -c @MORE@ <&4; return ;; esac
  H=0; set -- $X; [ "$2" -le @HEAD@ ] || hold_
  printf '%s' "$H"; cut_
  dd bs=@HEAD@ count=1 <&4 2>/dev/null
}
ranges_() {
  I=/proc/$1/fd/0; shift
  [ -r "$I" ] || return 19
  while [ $# -gt 1 ]; do dd if="$I" bs=@BLOCK@ skip="$1" count="$2" 2>/dev/null; cut_; shift 2; done
  return 0
}
tools_() {
  for D in @DIRECTORIES@; do
    [ -h "$D" ] && continue
    cd "$D" 2>/dev/null || continue
    printf '%s\n' "$D/" *
    [ "$U" = 0 ] || for F in *; do [ -x "$F" ] || printf '%s/\n' "$F"; done
  done
  return 0
}
"""
"""What looks at files. 12: no regular file, 17: a right is missing, 18: not there, 19: no longer held open."""

_LOOP = r"""
PATH=@PATH@; export PATH
umask 077; ulimit -c 0 2>/dev/null; cd /
trap : HUP INT QUIT TERM PIPE
say_() { printf '\036%s %s\n' "$T" "$1" >&2; printf '\036%s %s\n' "$T" "$1"; }
cut_() { printf '\036%s,\n' "$T"; }
have_() { for D in @DIRECTORIES@; do [ -f "$D/$1" ] && [ -x "$D/$1" ] && return 0; done; return 1; }
G=; have_ setsid && G=setsid
cmd_() { $G "$@" </dev/null & C=$!; O=$G; }
feed_() { W=$1; shift; printf '%b' "$W" | $G "$@" & C=$!; O=$G; }
Z=sleep; have_ sleep && Z=$D/sleep
hold_() { @MARK@="$M-0." "$Z" @HOLD@ <&4 4<&- >/dev/null 2>&1 & H=$!; }
marked_() {
  if printf 'a\000b\n' | grep -q -F b; then
    @MARK@= grep -l -F -s -e "@MARK@=$1" /proc/[0-9]*/environ
  else
    for F in /proc/[0-9]*/environ; do
      while L=; IFS= read -r L || [ -n "$L" ]; do
        case $L in *"@MARK@=$1"*) echo "$F"; break ;; esac
      done <"$F"
    done
  fi 2>/dev/null
}
sweep_() {
  for F in $(marked_ "$1"); do F=${F#/proc/}; kill -s KILL "${F%/environ}" 2>/dev/null; done
}
stop_() {
  trap : TERM; X=k
  [ -n "$C" ] || return 0
  kill -s TERM -- "-$C" 2>/dev/null || kill -s TERM "$C" 2>/dev/null
  sleep 0.2 2>/dev/null || sleep 1
  kill -s KILL -- "-$C" 2>/dev/null; kill -s KILL "$C" 2>/dev/null
  sweep_ "$M-$Q."
  case $(cat "/proc/$C/stat" 2>/dev/null) in ''|*') Z '*|*') X '*) ;; *) X=s ;; esac
}
run_() {
  C=; X=; O=
  trap stop_ TERM
  @MARK@="$M-$Q."; export @MARK@
  eval "$B"
  [ -z "$X" ] || stop_
  wait "$C" 2>/dev/null; R=$?
  [ -z "$O" ] || kill -s KILL -- "-$C" 2>/dev/null
  say_ "$Q $R$X"
}
@FILES@
say_ hello
U=; [ -r /proc/self/status ] && while read -r K R U L; do [ "$K" = Uid: ] && break; done </proc/self/status
printf 'uid=%s\nuser=%s\n' "${U:=$(id -u)}" "$(id -un 2>/dev/null)"
for K in @TOOLS@; do have_ "$K" && echo "tool=$K"; done
say_ '0 0'
Q=0; J=
while IFS= read -r L; do
  case $L in
  "R "*)
    Q=${L#R }; B=
    while IFS= read -r L; do [ "$L" = "$T" ] && break; B=$B$L$N; done
    [ "$L" = "$T" ] || break
    [ -z "$J" ] || wait "$J"
    run_ & J=$! ;;
  "K "*) [ "${L#K }" = "$Q" ] && kill -s TERM "$J" 2>/dev/null ;;
  "T "*) Q=${L#T }; [ -z "$J" ] || wait "$J"; J=; times; say_ "$Q 0" ;;
  "H "*) kill -s KILL "${L#H }" 2>/dev/null ;;
  esac
done
[ -z "$J" ] || kill -s TERM "$J" 2>/dev/null
sweep_ "$M-"
[ -z "$J" ] || wait "$J"
exit 0
"""


def loop(nonce: str, mark: str) -> bytes:
    """The loop for a shell whose marks in the streams hold `nonce`, and whose commands carry `mark`."""
    text = _LOOP.replace("@FILES@", _FILES.strip())
    for name, value in (
        ("PATH", SYSTEM_PATH), ("DIRECTORIES", SYSTEM_PATH.replace(":", " ")), ("MARK", MARK),
        ("HOLD", str(HOLD)), ("TOOLS", " ".join(TOOLS)),
        ("HEAD", str(HEAD)), ("MORE", str(HEAD + 1)), ("BLOCK", str(BLOCK)),
    ):  # fmt: skip
        text = text.replace(f"@{name}@", value)
    return f"T={nonce}; M={mark}\n{text.strip()}\n.\n".encode()


def request(number: int, nonce: str, body: bytes) -> bytes:
    """A body to run as the loop reads it. Its lines can't be taken for the end: nobody knows the nonce."""
    return b"R %d\n%b\n%b\n" % (number, body, nonce.encode())
