import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magicpose_cli.core.errors import InputError, LimitError
from magicpose_cli.pose.strict_json import read_json

MOST = 1_000_000


def refused(path, raw: bytes) -> str:
    path.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        read_json(path, MOST)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value.message


@pytest.fixture
def file(tmp_path):
    return tmp_path / "000001_keypoints.json"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_any_encoding_that_json_knows(file, encoding):
    file.write_bytes('{"people": ["é"]}'.encode(encoding))
    assert read_json(file, MOST) == {"people": ["é"]}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"people": [1,\n  2,, 3]}', ":2:5: not valid JSON"),
        ('{"people": ', ":1:12: not valid JSON"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": -Infinity}', "-Infinity is not a number"),
        ('{"a": 1e999}', "1e999 is out of range"),
        ('{"a": ' + "9" * 5000 + "}", "9... is out of range"),
        ('{"a": 0.' + "1" * 5000 + "}", "is out of range"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' stands twice"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("", "empty"),
        ("  \n", "empty"),
        ("<html>", ":1:1: not valid JSON"),
    ],
)
def test_malformed_text_is_one_sentence_with_the_place(file, text, part):
    message = refused(file, text.encode())
    assert part in message
    assert len(message) < len(str(file)) + 120


@pytest.mark.parametrize("raw", [b"\xff\xfe\xff", b'{"a": "\xc3\x28"}', b"\x80\x02}q\x00.", b"\0\0\0\0"])
def test_what_is_no_text_is_refused(file, raw):
    refused(file, raw)


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "gone.json", MOST)
    with pytest.raises(InputError, match="not a regular file"):
        read_json(tmp_path, MOST)
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(InputError, match="not a regular file"):
        read_json(tmp_path / "pipe.json", MOST)


def test_a_file_that_is_too_large_is_over_a_limit(file):
    file.write_bytes(b"[" + b" " * MOST + b"]")
    with pytest.raises(LimitError, match="more than"):
        read_json(file, MOST)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_a_traceback(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("bytes") / "frame.json"
    path.write_bytes(raw)
    try:
        read_json(path, MOST)
    except InputError:
        pass
