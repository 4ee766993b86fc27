"""What is kept comes back whole or not at all, to one process at a time, for one request."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.core.errors import IntegrityError, NoPersonError, OutputError
from magicpose_cli.core.progress import SILENT
from magicpose_cli.core.temporaries import sweep, temporary_beside
from magicpose_cli.core.work_folder import WorkFolder, work_folder

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


def interrupted(output: Path, request: dict, **parts: np.ndarray) -> None:
    with pytest.raises(KeyboardInterrupt), work_folder(output) as work:
        work.clear_unless(request)
        for name, part in parts.items():
            work.keep(name, {"of": name}, {"values": part})
        raise KeyboardInterrupt


def folder_of(tmp_path: Path) -> Path:
    (place,) = (entry for entry in tmp_path.iterdir() if entry.name.endswith(".magicpose"))
    return place


def test_it_goes_on_and_goes_away(tmp_path: Path) -> None:
    output = tmp_path / "made" / "out.mp4"
    interrupted(output, {"seed": 1}, a=VALUES, b=VALUES[:0])
    with work_folder(output) as work:
        assert not work.clear_unless({"seed": 1})
        assert work.names() == ["a", "b"]
        header, arrays = work.kept("a")
        assert header == {"of": "a"} and np.array_equal(arrays["values"], VALUES)
        assert work.kept("b")[1]["values"].shape == (0, 3)
    assert list(output.parent.iterdir()) == []
    with pytest.raises(OutputError), work_folder(tmp_path / "a" / "b" / "out"):
        raise OutputError("nothing was kept")
    assert list(tmp_path.iterdir()) == [output.parent], "folders that were made for it go too"


def test_another_request_begins_anew(tmp_path: Path) -> None:
    interrupted(tmp_path / "out", {"seed": 1}, a=VALUES)
    with work_folder(tmp_path / "out") as work:
        work.note_result("0" * 64)
        assert work.clear_unless({"seed": 2})
        assert work.names() == [] and not work.results


@pytest.mark.parametrize("damage", ["a bit", "cut off", "empty"])
def test_what_is_damaged_is_not_there(tmp_path: Path, damage: str) -> None:
    interrupted(tmp_path / "out", {}, a=VALUES, b=VALUES)
    file = folder_of(tmp_path) / "a.kept"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes({"a bit": bytes(content), "cut off": bytes(content[:-7]), "empty": b""}[damage])
    with work_folder(tmp_path / "out") as work:
        assert work.kept("a") is None
        assert work.names() == ["b"]


@pytest.mark.parametrize("error", [NoPersonError("nobody"), IntegrityError("not finite")])
def test_work_that_is_worth_nothing_is_not_kept(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)), work_folder(tmp_path / "out") as work, work.told(SILENT, lambda: 1, 2):
        work.keep("a", {}, {})
        raise error
    assert list(tmp_path.iterdir()) == []


def test_what_stops_it_says_how_to_go_on(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt) as caught,
        work_folder(tmp_path / "out") as work,
        work.told(SILENT, lambda: len(work.names()), 2),
    ):
        work.keep("a", {}, {})
        raise KeyboardInterrupt
    assert caught.value.__notes__ == ["run the same command again to go on from frame 1 of 2"]


def test_the_longest_name(tmp_path: Path) -> None:
    interrupted(tmp_path / ("x" * 251 + ".mp4"), {}, a=VALUES)
    with work_folder(tmp_path / ("x" * 251 + ".mp4")) as work:
        assert work.names() == ["a"]


def test_a_link_and_its_target_are_one_output(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "out").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "out")
    with (
        work_folder(tmp_path / "link"),
        pytest.raises(OutputError, match=f"in use by process {os.getpid()}"),
        work_folder(tmp_path / "real" / "out"),
    ):
        pass


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom magicpose_cli.core.work_folder import work_folder\n"
        "with work_folder(Path(sys.argv[1])) as work:\n    work.keep('a', {}, {})\n    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "out")]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match=f"in use by process {other.pid}"), work_folder(tmp_path / "out"):
            pass
        other.kill()
    with work_folder(tmp_path / "out") as work:
        assert work.names() == ["a"]


def test_many_processes_take_turns(tmp_path: Path) -> None:
    """Eight processes, 25 rounds each: a number that all of them count up loses nothing."""
    code = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from magicpose_cli.core.work_folder import work_folder\n"
        "for turn in range(25):\n    try:\n"
        "        with work_folder(Path(sys.argv[1]), waiting=lambda owner: None) as work:\n"
        "            found = work.kept('count')\n"
        "            count = found[1]['values'] if found else np.zeros(1, np.int64)\n"
        "            work.keep('count', {}, {'values': count + 1})\n"
        "            raise KeyboardInterrupt\n"  # as one that is stopped: what is kept stays
        "    except KeyboardInterrupt:\n        pass\n"
    )
    run = [sys.executable, "-c", code, str(tmp_path / "out")]
    others = [subprocess.Popen(run, cwd=Path(__file__).parents[2]) for _ in range(8)]
    assert [other.wait(timeout=300) for other in others] == [0] * 8
    with work_folder(tmp_path / "out") as work:
        assert work.kept("count")[1]["values"].tolist() == [200]
    assert list(tmp_path.iterdir()) == []


def test_correctness_does_not_hang_on_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a shared disk's locks do nothing, one run may end, and remove the folder, while another goes on."""
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    with work_folder(tmp_path / "out") as one:
        one.keep("a", {}, {"values": VALUES})
        with work_folder(tmp_path / "out") as other:
            assert np.array_equal(other.kept("a")[1]["values"], VALUES)
        one.keep("b", {}, {"values": VALUES})
        assert isinstance(one, WorkFolder) and one.names() == ["b"]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere no folder goes away while a file in it is open")
def test_the_lock_is_that_of_the_folder_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the opening of the lock file and its locking, one process ends, and another begins."""
    import fcntl

    place, flock = tmp_path / ".out.magicpose", fcntl.flock

    def after_others(descriptor: int, operation: int) -> None:
        if not (tmp_path / "gone").exists():
            place.rename(tmp_path / "gone")
            place.mkdir()
            (place / "lock").touch()
        flock(descriptor, operation)

    monkeypatch.setattr("fcntl.flock", after_others)
    with work_folder(tmp_path / "out"), pytest.raises(OutputError, match="in use"), work_folder(tmp_path / "out"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing is swept")
def test_only_what_the_dead_left_is_swept(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    mine = temporary_beside(tmp_path / "out")
    name = mine.name.replace(str(os.getpid()), str(dead.pid))
    machine = mine.name.split("-")[1]
    foreign = name.replace(machine, "".join("0" if c != "0" else "1" for c in machine))
    for folder in (mine.name, name, f"{name}-old", foreign):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "content").touch()
    for file in (f"{name}.tmp", f"{name}.joined.tmp", f"{mine.name}.tmp", f"{foreign}.tmp", ".magicpose-mine"):
        (tmp_path / file).touch()
    sweep(tmp_path)
    left = {mine.name, f"{mine.name}.tmp", foreign, f"{foreign}.tmp", f"{name}-old", ".magicpose-mine"}
    assert {entry.name for entry in tmp_path.iterdir()} == left


def test_other_process_numbers_on_a_host_of_the_same_name_are_not_ours(tmp_path: Path) -> None:
    """As in a container with the host's network: there, this process cannot be seen."""
    apart = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("needs an unshare that may make a PID namespace")
    mine = temporary_beside(tmp_path / "out")
    mine.mkdir()
    code = (
        "import sys\nfrom pathlib import Path\nfrom magicpose_cli.core.temporaries import sweep\n"
        "sweep(Path(sys.argv[1]))\n"
    )
    subprocess.run([*apart, sys.executable, "-c", code, str(tmp_path)], check=True, cwd=Path(__file__).parents[2])
    assert mine.is_dir()
