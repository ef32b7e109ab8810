"""Files that people write: every mistake is reported at once, each with its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.errors import UsageError
from clinic.yamlfile import LIMIT, Mistakes, load


def written(directory: Path, text: str) -> Path:
    path = directory / "some.yaml"
    path.write_text(text)
    return path


def test_a_value_knows_its_line(tmp_path: Path) -> None:
    document = load(written(tmp_path, "name: a\nitems:\n  - path: x\n    command: [a, b]\n  - path: y\n"))
    assert document.data == {"name": "a", "items": [{"path": "x", "command": ["a", "b"]}, {"path": "y"}]}
    assert document.line(("items", 1, "path")) == 5
    assert document.line(("items", 0, "nosuch")) == 3
    assert document.line(("nosuch",)) == 1


def test_all_mistakes_are_reported_together_in_the_order_of_lines(tmp_path: Path) -> None:
    document = load(written(tmp_path, "name: a\ncolour: red\nsizes: [1, x]\nkind: round\n"))
    mistakes = Mistakes(document)
    mistakes.choice(("kind",), document.data["kind"], ["flat"])
    assert len(mistakes.mapping((), document.data, ["name", "sizes", "kind"], ["name", "use"])) == 4
    assert mistakes.strings(("sizes",), document.data["sizes"]) == ("x",)
    with pytest.raises(UsageError) as caught:
        mistakes.raise_any()
    lines = caught.value.message.splitlines()
    assert lines[0].endswith("has 4 mistakes:")
    assert [line.split(":")[1] for line in lines[1:]] == ["1", "2", "3", "4"]
    assert "the file lacks 'use'" in lines[1]
    assert "unknown key 'colour'" in lines[2]


def test_no_mistake_raises_nothing(tmp_path: Path) -> None:
    Mistakes(load(written(tmp_path, "a: 1\n"))).raise_any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2\n", "2 is not valid YAML"),
        ("a: &x [1]\nb: *x\n", "uses YAML aliases"),
        ("a: !!python/object:os.system x\n", "not valid YAML"),
        ("[" * 5000, "nested deeper than 50"),
        ("a: \x07\n", "not valid YAML"),
    ],
)
def test_what_is_no_plain_yaml_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(written(tmp_path, text))


def test_a_file_that_is_too_long_or_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is longer than"):
        load(written(tmp_path, "#" * (LIMIT + 1)))
    with pytest.raises(UsageError, match="can't read"):
        load(tmp_path / "absent.yaml")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_a_usage_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "any.yaml"
    path.write_bytes(data)
    try:
        load(path)
    except UsageError as error:
        assert error.hint


def test_a_key_that_is_there_twice_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"some\.yaml:3 is not valid YAML: the key 'name' is there twice"):
        load(written(tmp_path, "name: a\nkind: b\nname: c\n"))
