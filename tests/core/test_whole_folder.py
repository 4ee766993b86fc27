import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from magicpose_cli.core.errors import DiskFullError, OutputError
from magicpose_cli.core.whole_folder import check_folder_place, whole_folder

OURS = re.compile(r"a\.txt|deep|deep/[0-9]+")


def fill(folder: Path, text: str, *, overwrite: bool = False) -> None:
    with whole_folder(folder, ours=OURS, overwrite=overwrite) as fresh:
        (fresh / "deep").mkdir()
        (fresh / "deep" / "1").write_text(text)


def content(folder: Path) -> str:
    return (folder / "deep" / "1").read_text()


def test_a_folder_is_made_and_replaced_when_asked(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    fill(folder, "one")
    with pytest.raises(OutputError, match="exists"):
        fill(folder, "two")
    assert content(folder) == "one"
    fill(folder, "two", overwrite=True)
    assert content(folder) == "two"
    assert os.listdir(folder.parent) == ["out"]


@pytest.mark.parametrize("name", ["b.txt", "deep/b.txt", "other", "deep/1/x"])
def test_what_is_not_ours_is_never_replaced(tmp_path: Path, name: str) -> None:
    mine = tmp_path / "out" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(OutputError, match=name):
        check_folder_place(tmp_path / "out", ours=OURS, overwrite=True)
    with pytest.raises(OutputError, match=name):
        fill(tmp_path / "out", "new", overwrite=True)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("x"), OutputError("x")])
def test_what_stops_the_block_leaves_the_old_folder(tmp_path: Path, error: BaseException) -> None:
    fill(tmp_path / "out", "old")
    with pytest.raises(type(error)) as caught, whole_folder(tmp_path / "out", ours=OURS, overwrite=True) as fresh:
        (fresh / "a.txt").write_text("half")
        raise error
    assert caught.value is error
    assert content(tmp_path / "out") == "old"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_appears_meanwhile_is_kept(tmp_path: Path, overwrite: bool) -> None:
    with pytest.raises(OutputError), whole_folder(tmp_path / "out", ours=OURS, overwrite=overwrite):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "mine").write_text("mine")
    assert os.listdir(tmp_path / "out") == ["mine"]
    assert os.listdir(tmp_path) == ["out"]


def failing_renames(monkeypatch: pytest.MonkeyPatch, *which: int) -> None:
    """Let these of the following renames fail, as a full or broken disk does, where two names cannot change places."""
    monkeypatch.setattr("magicpose_cli.core.whole_folder._exchange", lambda one, other: False)
    rename, done = os.rename, []

    def maybe(old: str, new: str) -> None:
        done.append(new)
        if len(done) in which:
            raise OSError(5, "Input/output error")
        rename(old, new)

    monkeypatch.setattr(os, "rename", maybe)


def test_an_old_folder_is_put_back_where_the_new_one_cannot_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "out", "old")
    failing_renames(monkeypatch, 2)
    with pytest.raises(OutputError, match="Input/output"):
        fill(tmp_path / "out", "new", overwrite=True)
    assert content(tmp_path / "out") == "old"
    assert os.listdir(tmp_path) == ["out"]


def test_an_old_folder_that_cannot_be_put_back_is_kept_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "out", "old")
    failing_renames(monkeypatch, 2, 3)
    with pytest.raises(OutputError, match="put back") as caught:
        fill(tmp_path / "out", "new", overwrite=True)
    (kept,) = tmp_path.iterdir()
    assert content(kept) == "old"
    assert str(kept) in caught.value.hint


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no file size limit here")
def test_a_full_disk_is_told_as_one_also_by_safetensors(tmp_path: Path) -> None:
    """A limit on file sizes fails a write as a full disk does; safetensors hides the number in its text."""
    program = """
import re, resource, signal, sys
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file
from magicpose_cli.core.errors import DiskFullError
from magicpose_cli.core.whole_folder import whole_folder
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
for write in (
    lambda file: file.write_bytes(bytes(30000)),
    lambda file: save_file({"a": np.zeros(30000)}, file),
):
    try:
        with whole_folder(Path(sys.argv[1]), ours=re.compile("x")) as fresh:
            write(fresh / "x")
    except DiskFullError as error:
        print(error.message)
"""
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "out")], capture_output=True, text=True, check=False
    )
    assert result.stdout.count("the disk is full") == 2, result.stderr
    assert not os.listdir(tmp_path)


def test_a_full_disk_is_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError), whole_folder(tmp_path / "out", ours=OURS):
        raise OSError(28, "No space left on device")
