"""The deploy tree of an instance as TiUP leaves it: run script, launcher, configuration, directories.

Command lines: pingcap/tiup `embed/templates/scripts/run_*.sh.tpl`, without the `sync` of TiKV's and TiFlash's.
"""

from __future__ import annotations

import shlex
import site
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.lab.standin.configs import configuration_files
from tests.lab.standin.members import Member
from tests.lab.standin.spec import Spec
from tests.lab.standin.versions import VERSION_TEXTS

CHECKOUT = Path(__file__).resolve().parents[3]
INSTANCE = Path(__file__).resolve().parent / "instance.py"

LAUNCHER = """\
#!/bin/bash
# Stands in for {called}: tells its version, or runs the stand-in under its name.
case "${{1-}}" in
-V | --version | version)
    cat <<'END'
{version}
END
    exit 0
    ;;
esac

# Python shall have as many bytes of arguments as are asked for here: it puts these in their place.
LC_ALL=C
words={program} length=0
for word; do
    words+=$'\\x1f'$word
    length=$((length + ${{#word}} + 1))
done
slashes=
for ((i = length - 10; i > 0; i--)); do slashes+=/; done
export STANDIN_ARGV=$words STANDIN_ROOT={root} STANDIN_NAME={name}
export PYTHONHOME={home} PYTHONPATH={path}
exec 3< {instance}
exec -a {program} {python} "/dev${{slashes}}/fd/3"
"""

SCRIPT = """\
#!/bin/bash
set -e

# WARNING: This file was auto-generated. Do not edit!
#          All your edit might be overwritten!
DEPLOY_DIR={deploy}

cd "${{DEPLOY_DIR}}" || exit 1

exec {environment}{program} \\
    {arguments}{errors}
"""


def arguments(spec: Spec, member: Member) -> list[str]:
    """The command line that TiUP's run script gives the real program."""
    words = _ARGUMENTS[member.component](spec, member)
    return [member.kind.program, *words]


def deploy(spec: Spec, member: Member) -> None:
    """Writes the whole tree."""
    for directory in (*_directories(member), spec.access_log(member).parent):
        directory.mkdir(parents=True, exist_ok=True)
    if spec.options.tls:
        _certificates(spec, member)
    for name, text in configuration_files(spec, member).items():
        (member.deploy_dir / "conf" / name).write_text(text)
    for log in member.logs:
        log.touch()
    _executable(member.deploy_dir / member.kind.program, _launcher(spec, member))
    _executable(run_script(member), _script(spec, member))


def run_script(member: Member) -> Path:
    """The script that systemd would run."""
    return member.deploy_dir / "scripts" / f"run_{member.kind.role}.sh"


def _directories(member: Member) -> list[Path]:
    program = member.deploy_dir / member.kind.program
    named = [member.deploy_dir / name for name in ("conf", "scripts", "log")]
    return [program.parent, *named, *([member.data_dir] if member.data_dir else [])]


def _certificates(spec: Spec, member: Member) -> None:
    directory = member.deploy_dir / "tls"
    directory.mkdir(exist_ok=True)
    names = {
        "ca.crt": "ca.crt",
        "server.crt": f"{member.kind.role}.crt",
        "server.pem": f"{member.kind.role}.pem",
    }
    for source, name in names.items():
        target = directory / name
        target.write_bytes((spec.tls_dir / source).read_bytes())
        target.chmod(0o600)


def _executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _launcher(spec: Spec, member: Member) -> str:
    path = ":".join([str(CHECKOUT), *site.getsitepackages()])
    return LAUNCHER.format(
        called=Path(member.kind.program).name,
        program=member.kind.program,
        version=VERSION_TEXTS[member.component],
        root=shlex.quote(str(spec.root)),
        name=member.name,
        home=shlex.quote(sys.base_prefix),
        path=shlex.quote(path),
        instance=shlex.quote(str(INSTANCE)),
        python=shlex.quote(sys.executable),
    )


def _script(spec: Spec, member: Member) -> str:
    program, *words = arguments(spec, member)
    environment = "env GODEBUG=madvdontneed=1 " if member.component in {"pd", "tidb"} else ""
    errors = f' 2>> "{member.log_dir}/{Path(member.kind.logs[-1]).name}"'
    return SCRIPT.format(
        deploy=shlex.quote(str(member.deploy_dir)),
        environment=environment,
        program=program,
        arguments=" \\\n    ".join(_pairs(words)),
        errors="" if member.component == "tiproxy" else errors,
    )


def _pairs(words: Sequence[str]) -> list[str]:
    """One option a line, with its value."""
    lines: list[str] = []
    for word in words:
        if word.startswith("-") or not lines or not lines[-1].startswith("-") or "=" in lines[-1]:
            lines.append(shlex.quote(word))
        else:
            lines[-1] += " " + shlex.quote(word)
    return lines


def _pd(spec: Spec, member: Member) -> list[str]:
    client = f"{spec.scheme}://{member.address}"
    peer = f"{spec.scheme}://{member.host}:{member.ports['peer']}"
    initial = ",".join(
        f"{pd_name(each)}={spec.scheme}://{each.host}:{each.ports['peer']}" for each in spec.of("pd")
    )
    return [
        f"--name={pd_name(member)}",
        f"--client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--peer-urls={peer}",
        f"--advertise-peer-urls={peer}",
        f"--data-dir={member.data_dir}",
        f"--initial-cluster={initial}",
        "--config=conf/pd.toml",
        f"--log-file={member.log}",
    ]


def pd_name(member: Member) -> str:
    """The name that TiUP gives a PD."""
    return f"pd-{member.host}-{member.port}"


def _tidb(spec: Spec, member: Member) -> list[str]:
    return [
        "-P",
        str(member.port),
        f"--status={member.status_port}",
        f"--host={member.host}",
        f"--advertise-address={member.host}",
        "--store=tikv",
        f"--path={spec.pd_endpoints}",
        f"--log-slow-query={member.log_dir}/tidb_slow_query.log",
        "--config=conf/tidb.toml",
        f"--log-file={member.log}",
    ]


def _tikv(spec: Spec, member: Member) -> list[str]:
    return [
        "--addr",
        member.address,
        "--advertise-addr",
        member.address,
        "--status-addr",
        member.status_address,
        "--advertise-status-addr",
        member.status_address,
        "--pd",
        spec.pd_endpoints,
        "--data-dir",
        str(member.data_dir),
        "--config",
        "conf/tikv.toml",
        "--log-file",
        str(member.log),
    ]


def _tiflash(_spec: Spec, _member: Member) -> list[str]:
    return ["server", "--config-file", "conf/tiflash.toml"]


def _tiproxy(_spec: Spec, _member: Member) -> list[str]:
    return ["--config", "conf/tiproxy.toml"]


def _ticdc(spec: Spec, member: Member) -> list[str]:
    tls = ["--ca", "tls/ca.crt", "--cert", "tls/cdc.crt", "--key", "tls/cdc.pem"]
    return [
        "server",
        "--addr",
        member.address,
        "--advertise-addr",
        member.address,
        "--pd",
        ",".join(f"{spec.scheme}://{each.address}" for each in spec.of("pd")),
        f"--data-dir={member.data_dir}",
        *(tls if spec.options.tls else []),
        "--config",
        "conf/cdc.toml",
        "--log-file",
        str(member.log),
    ]


_ARGUMENTS = {
    "pd": _pd,
    "tidb": _tidb,
    "tikv": _tikv,
    "tiflash": _tiflash,
    "tiproxy": _tiproxy,
    "ticdc": _ticdc,
}
