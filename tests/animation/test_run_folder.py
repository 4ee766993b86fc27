import json
import os
from pathlib import Path

import pytest

from magicpose_cli.animation.request import AnimationRequest
from magicpose_cli.animation.run_folder import (
    changed_since,
    check_place,
    check_record_place,
    compare_path,
    read_record,
    record_path,
    sha256_of,
    write_record,
)
from magicpose_cli.core.errors import InputError, LimitError, OutputError


@pytest.fixture
def request_here(tmp_path: Path) -> AnimationRequest:
    return AnimationRequest(tmp_path / "me.png", tmp_path / "poses", tmp_path / "out.mp4", seed=7)


def test_a_record_gives_its_request_back(tmp_path: Path, request_here: AnimationRequest) -> None:
    write_record(tmp_path / "out.json", {"request": request_here.to_json(), "frames": 3})
    request, record = read_record(tmp_path / "out.json")
    assert request == request_here
    assert record["frames"] == 3
    assert os.listdir(tmp_path) == ["out.json"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"version": 1}',
        '{"version": 99, "request": {}}',
        '{"version": 1, "request": {}}',
        '{"version": 1, "request": {"reference": "a", "poses": "b", "output": "c.mp4", "seed": 1, "seed": 2}}',
        "[" * 100_000,
    ],
)
def test_what_is_no_record_is_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "out.json"
    file.write_text(content)
    with pytest.raises(InputError):
        read_record(file)


def test_a_missing_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_record(tmp_path / "out.json")


@pytest.mark.skipif(os.name != "posix", reason="a pipe with a name is POSIX's")
def test_a_pipe_is_not_waited_for_and_a_giant_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(InputError, match="regular file"):
        read_record(tmp_path / "pipe.json")
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(LimitError):
        read_record(tmp_path / "large.json")


def test_an_output_is_replaced_only_when_asked(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    assert check_place(output, "refuse")
    output.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists"):
        check_place(output, "refuse")
    assert check_place(output, "overwrite")
    assert not check_place(output, "skip")
    assert output.read_bytes() == b"old"


def test_a_record_gives_way_to_one_of_the_same_output_alone(tmp_path: Path, request_here: AnimationRequest) -> None:
    place = record_path(request_here.output)
    write_record(place, {"request": request_here.to_json()})
    check_record_place(request_here.output, "refuse")
    with pytest.raises(OutputError, match="exists"):
        check_record_place(request_here.output.with_suffix(".gif"), "refuse")
    check_record_place(request_here.output.with_suffix(".gif"), "overwrite")
    place.write_text(json.dumps({"my": "notes"}))
    with pytest.raises(OutputError, match="exists"):
        check_record_place(request_here.output, "refuse")


def test_names_beside_the_video() -> None:
    assert record_path(Path("a/b.c.mp4")) == Path("a/b.c.json")
    assert compare_path(Path("a/b.c.mp4")) == Path("a/b.c_compare.mp4")


def test_a_folder_has_the_sha256_of_its_files(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "a").write_bytes(b"1")
        (tmp_path / name / "b").write_bytes(b"2")
    assert sha256_of(tmp_path / "first") == sha256_of(tmp_path / "second")
    (tmp_path / "second" / "b").write_bytes(b"3")
    assert sha256_of(tmp_path / "first") != sha256_of(tmp_path / "second")


def test_changed_inputs_are_told() -> None:
    record = {"sha256": {"reference": "a", "poses": "b"}}
    assert changed_since(record, {"reference": "a", "poses": "b"}) == []
    (sentence,) = changed_since(record, {"reference": "x", "poses": "b"})
    assert "reference" in sentence
    assert changed_since({}, {"reference": "x"}) == []
