"""TOML of strangers: every oddity is one sentence."""

import os
from pathlib import Path

import pytest

from magicpose_cli.core.errors import InputError, LimitError
from magicpose_cli.core.toml_files import read_toml


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = [", "not a TOML file"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"a = 1\na = 2\n", "not a TOML file"),
        (b"a = " + b"9" * 5000, "not a TOML file"),
        (b"a = 0x" + b"f" * 17, "out of range"),
        (b"[t]\nlist = [1, {b = 0x0, c = 9223372036854775808}]", "out of range"),
        (b"a = '\xff'", "not a TOML file"),
        (b"\0", "not a TOML file"),
        (b"", "empty"),
    ],
)
def test_what_is_no_toml_is_one_sentence(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_toml(path)
    assert len(caught.value.message) < len(str(path)) + 200
    assert caught.value.hint


def test_size_and_kind_of_file_are_looked_at_first(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(b"# " + b"x" * 1_000_000)
    with pytest.raises(LimitError):
        read_toml(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        read_toml(tmp_path / "pipe")
    path.write_text("a = 9223372036854775807\nb = [1.5, 'x']")
    assert read_toml(path) == {"a": (1 << 63) - 1, "b": [1.5, "x"]}
