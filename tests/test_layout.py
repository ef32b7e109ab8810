"""The source keeps its own budgets and habits: sizes, docstrings, who may print, who may catch."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

import clinic.errors
from clinic.errors import ClinicError, ItemError

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "collectors").rglob("*.py")])
EVERYTHING = sorted([*SOURCES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "tools").rglob("*.py")])

_POSITION = "how far the reading of one secret has come, in one stream"

MUTABLE_DATACLASSES = {
    "src/clinic/host/ssh/shell.py:_Stream": "bytes that have come and were not taken yet",
    "src/clinic/redact/encoded.py:_Packed": _POSITION,
    "src/clinic/redact/readers.py:Container": _POSITION,
    "src/clinic/redact/readers.py:Exactly": _POSITION,
    "src/clinic/redact/readers.py:Indented": _POSITION,
    "src/clinic/redact/readers.py:Until": _POSITION,
    "src/clinic/redact/readers.py:While": _POSITION,
    "src/clinic/redact/scanner.py:Proof": _POSITION,
    "src/clinic/redact/scanner.py:Tally": "counts what is masked while a stream passes",
    "src/clinic/redact/scanner.py:_Open": _POSITION,
}
"""Dataclasses that must change after they are made, as `file:Class`, each with the reason."""

BROAD_CATCHES = {
    "src/clinic/cli/main.py": "the one place that turns an unknown error into one line for a person",
    "src/clinic/guard.py": "a collector that raises becomes one failed record, never a lost bundle",
    "src/clinic/bundle/filter.py": "redaction fails closed: whatever a redactor raises, no byte passes unseen",
    "src/clinic/redact/scanner.py": "redaction fails closed: what a rule that raises looked at is withheld",
}
"""The only files that may catch every exception."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """The path as it is written in messages: from the top of the tree."""
    return path.relative_to(ROOT).as_posix()


TREES = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function, also those inside functions."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines from `def` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_functions_are_at_most_60_lines() -> None:
    long = [
        f"{file}:{f.lineno} {f.name}: {length(f)}"
        for file, tree in TREES.items()
        for f in functions(tree)
        if length(f) > 60
    ]
    assert not long, "split these:\n" + "\n".join(long)


def test_most_functions_are_short() -> None:
    """The median is at most 12 lines, and nine in ten are at most 45."""
    lengths = sorted(length(f) for tree in TREES.values() for f in functions(tree))
    assert statistics.median(lengths) <= 12
    assert lengths[int(len(lengths) * 0.9)] <= 45


def test_files_are_under_400_lines_and_collectors_under_150() -> None:
    long: list[str] = []
    for path in EVERYTHING:
        limit = 150 if path.is_relative_to(ROOT / "collectors") else 400
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines >= limit and not path.is_relative_to(ROOT / "tests"):
            long.append(f"{name_of(path)}: {lines} lines, {limit} allowed")
    assert not long, "split these:\n" + "\n".join(long)


def _decorators(node: ast.ClassDef) -> Iterator[tuple[str, dict[str, ast.expr]]]:
    for decorator in node.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
        yield ast.unparse(call).rpartition(".")[2], {k.arg: k.value for k in keywords if k.arg}


def _dataclasses() -> Iterator[tuple[str, ast.ClassDef, bool]]:
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for name, keywords in _decorators(node):
                    if name == "dataclass":
                        frozen = keywords.get("frozen")
                        yield file, node, isinstance(frozen, ast.Constant) and frozen.value is True


def test_dataclasses_are_frozen() -> None:
    mutable = {f"{file}:{node.name}" for file, node, frozen in _dataclasses() if not frozen}
    assert mutable == set(MUTABLE_DATACLASSES), "freeze these, or say in MUTABLE_DATACLASSES why not"
    assert all(MUTABLE_DATACLASSES.values())


def test_dataclass_fields_have_a_docstring() -> None:
    """Directly under each field stands a string that says what it means."""
    bare: list[str] = []
    for file, node, _ in _dataclasses():
        followers = [*node.body[1:], None]
        for statement, after in zip(node.body, followers, strict=True):
            if isinstance(statement, ast.AnnAssign) and "ClassVar" not in ast.unparse(statement.annotation):
                told = (
                    isinstance(after, ast.Expr)
                    and isinstance(after.value, ast.Constant)
                    and after.value.value
                )
                if not told:
                    bare.append(f"{file}:{statement.lineno} {node.name}.{ast.unparse(statement.target)}")
    assert not bare, "say what these mean:\n" + "\n".join(bare)


def _public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.ClassDef | Function]]:
    for node in body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body, f"{prefix}{node.name}.")


def _overrides(node: ast.ClassDef | Function) -> bool:
    """Whether the meaning is told where the method is declared first."""
    return any(
        ast.unparse(d).rpartition(".")[2] in {"override", "overload", "setter"} for d in node.decorator_list
    )


def _contracts() -> set[str]:
    """Methods that a protocol declares and explains: those that fill it need not say it again."""
    return {
        method.name
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and "Protocol" in {ast.unparse(base) for base in node.bases}
        for method in node.body
        if isinstance(method, Function) and ast.get_docstring(method)
    }


def _inherited(tree: ast.Module) -> set[str]:
    """Methods of classes that have a base: the contract they fill says what they do."""
    return {
        f"{node.name}.{method.name}"
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.bases
        for method in node.body
        if isinstance(method, Function)
    }


def test_public_names_have_a_docstring() -> None:
    """Modules, classes, functions; a method that fills the contract of a base may rely on the words there."""
    bare = [f"{file}: the module" for file, tree in TREES.items() if not ast.get_docstring(tree)]
    contracts = _contracts()
    for file, tree in TREES.items():
        told = _inherited(tree)
        bare += [
            f"{file}:{node.lineno} {name}"
            for name, node in _public(tree.body)
            if not ast.get_docstring(node)
            and not _overrides(node)
            and name not in told
            and name.rpartition(".")[2] not in contracts
        ]
    assert not bare, "say what these are for:\n" + "\n".join(bare)


def _module(file: str) -> str:
    parts = Path(file).with_suffix("").parts[1:]
    return ".".join(parts).removesuffix(".__init__")


def _imports(file: str, tree: ast.Module, modules: set[str]) -> Iterator[str]:
    """The modules of ours that `file` imports when it is imported itself: not those inside functions."""
    inside = {node for f in functions(tree) for node in ast.walk(f)}
    typing_only = {
        node
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and "TYPE_CHECKING" in ast.unparse(test.test)
        for node in ast.walk(test)
    }
    for node in ast.walk(tree):
        if node in inside or node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in modules else node.module


def test_no_import_goes_round() -> None:
    modules = {_module(file) for file in TREES}
    graph = {_module(file): set(_imports(file, tree, modules)) & modules for file, tree in TREES.items()}
    while leaves := [name for name, needs in graph.items() if not needs & graph.keys() - {name}]:
        for name in leaves:
            del graph[name]
    assert not graph, "these import each other in a circle, or need one that does: " + ", ".join(
        sorted(graph)
    )


def _prints_or_exits(tree: ast.AST) -> Iterator[int]:
    forbidden = {"print", "sys.exit", "exit", "quit", "sys.stdout.write", "sys.stderr.write"}
    for node in ast.walk(tree):
        match node:
            case ast.Call() if ast.unparse(node.func) in forbidden:
                yield node.lineno
            case ast.Raise(exc=ast.expr() as raised) if "SystemExit" in ast.unparse(raised):
                yield node.lineno
            case _:
                pass


def test_only_the_command_line_prints_or_exits() -> None:
    """`os._exit` is not an exit of the program but the end of a forked child, and stays allowed."""
    found = [
        f"{file}:{line}"
        for file, tree in TREES.items()
        if not file.startswith("src/clinic/cli/") and file != "src/clinic/__main__.py"
        for line in _prints_or_exits(tree)
    ]
    assert not found, "return a value or raise an error instead:\n" + "\n".join(found)


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(kind) in {"Exception", "BaseException"} for kind in caught)


def test_everything_is_caught_in_the_named_places_only() -> None:
    """A broad catch that raises again at once hides nothing and is allowed anywhere."""
    found = {
        file
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        if _catches_everything(node)
        and not any(isinstance(s, ast.Raise) and s.exc is None for s in node.body)
    }
    assert found <= set(BROAD_CATCHES), "catch what can happen, by name"


def test_nothing_names_a_path_of_one_machine() -> None:
    """Nobody else has the directories in which this was written."""
    machine = re.compile(r"(?<![A-Za-z0-9_.])/(?:work|farm|Users)/(?=[a-z])")
    found = [
        f"{name_of(path)}:{number}"
        for path in [*EVERYTHING, *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "Makefile"]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if machine.search(line) and not line.lstrip().startswith("machine = ")
    ]
    assert not found, "\n".join(found)


def test_the_collectors_folder_holds_one_package() -> None:
    """It is on `sys.path` in an editable install: anything else in it could be imported by accident."""
    held = [path.name for path in (ROOT / "collectors").iterdir() if path.name != "__pycache__"]
    assert held == ["clinic_collectors"]


E = TypeVar("E", bound=Exception)


def _subclasses(base: type[E]) -> Iterator[type[E]]:
    for child in base.__subclasses__():
        if child.__module__ == clinic.errors.__name__:
            yield child
        yield from _subclasses(child)


COMMAND_ERRORS: list[type[ClinicError]] = [ClinicError, *_subclasses(ClinicError)]


@pytest.mark.parametrize("error", COMMAND_ERRORS, ids=lambda error: error.__name__)
def test_an_error_says_what_it_means_and_what_to_do_next(error: type[ClinicError]) -> None:
    assert error.__doc__
    assert error.meaning
    assert error("something happened").hint
    assert error is ClinicError or {"meaning", "exit_code", "default_hint"} <= vars(error).keys()


def test_each_error_has_an_exit_code_of_its_own() -> None:
    codes = [error.exit_code for error in COMMAND_ERRORS]
    assert len(codes) == len(set(codes))
    assert all(0 < code < 256 for code in codes)


ITEM_ERRORS: list[type[ItemError]] = [ItemError, *_subclasses(ItemError)]


def test_item_errors_have_a_docstring() -> None:
    assert [error for error in ITEM_ERRORS if not error.__doc__] == []


def test_errors_live_in_one_file() -> None:
    """One list of everything that can go wrong, with its exit code: the documentation is made from it."""
    known = {error.__name__ for error in COMMAND_ERRORS} | {error.__name__ for error in ITEM_ERRORS}
    elsewhere = [
        f"{file}:{node.lineno} {node.name}"
        for file, tree in TREES.items()
        if file != "src/clinic/errors.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and known & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    ]
    assert not elsewhere
