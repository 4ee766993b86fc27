"""Killed, stopped, short of disk, two at once: what came stays, and the file is right or not there."""

import random
import shutil
import signal
import subprocess
import sys

import pytest


def half_done(line: dict, whole: int) -> bool:
    return line.get("done", 0) >= whole // 2


def test_killed_in_the_middle_it_goes_on_there(clients, hub, content, wait_for):
    process = clients.start("gate")
    wait_for(process, lambda line: half_done(line, len(content)))
    process.kill()
    process.communicate()
    kept = clients.part("gate").read_bytes()
    assert kept == content[: len(kept)] and len(kept) >= len(content) // 2
    assert not clients.path("gate").exists()

    hub.gate.set()
    told = clients.run("gate")
    assert clients.path("gate").read_bytes() == content
    assert told.results["gate"]["asked"] == [len(content) - len(kept)], "what is kept is not asked for again"
    again = hub.of("files", "gate")[-1]
    assert (again.range, again.if_range) == (f"bytes={len(kept)}-", '"version-1"')
    assert sorted(path.name for path in clients.path("gate").parent.iterdir()) == [
        ".weights.bin.lock",
        "weights.bin",
        "weights.bin.verified",
    ]


@pytest.mark.parametrize("kills", [1, pytest.param(60, marks=pytest.mark.slow)])
def test_killed_at_any_byte(kills, clients, content, wait_for):
    chance = random.Random(kills)
    for _ in range(kills):
        shutil.rmtree(clients.weights, ignore_errors=True)
        after = chance.randrange(len(content))
        process = clients.start("unsized")
        wait_for(process, lambda line, after=after: line.get("done", 0) >= after)
        process.kill()
        process.communicate()
        found = clients.path("unsized")
        assert not found.exists() or found.read_bytes() == content
        told = clients.run("unsized")
        assert "error" not in told.results["unsized"] and found.read_bytes() == content


def test_ctrl_c_says_a_word_and_ends_by_the_signal_while_the_line_stands_still(clients, content):
    words = ["download", "always-stalled", "--yes"]
    with subprocess.Popen(
        [sys.executable, "-m", "magicpose_cli", *words],
        env=clients.environment(("always-stalled",), HF_HUB_DOWNLOAD_TIMEOUT="300"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("download always-stalled"):
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)  # far less than the line's 300 s
    assert process.returncode == -signal.SIGINT
    assert "the same command goes on from there" in err and "stopped by SIGINT" in err
    assert not clients.path("always-stalled").exists()


def test_two_processes_download_once(clients, hub, content, wait_for):
    first = clients.start("gate")
    wait_for(first, lambda line: half_done(line, len(content)))
    second = clients.start("gate")
    wait_for(second, lambda line: "another process is fetching gate" in line.get("note", ""))
    hub.gate.set()
    for process in (first, second):
        assert clients.finish(process).results["gate"]["paths"] == [str(clients.path("gate"))]
    assert clients.path("gate").read_bytes() == content
    assert len(hub.of("files", "gate")) == 1


@pytest.mark.parametrize("rounds", [1, pytest.param(50, marks=pytest.mark.slow)])
def test_eight_processes_download_once(rounds, clients, hub, content):
    for turn in range(rounds):
        shutil.rmtree(clients.weights, ignore_errors=True)
        for told in [clients.finish(each) for each in [clients.start("good") for _ in range(8)]]:
            assert told.results["good"]["paths"] == [str(clients.path("good"))]
        assert clients.path("good").read_bytes() == content
        assert len(hub.of("files", "good")) == turn + 1


def test_where_locks_do_nothing_two_processes_still_end_with_the_right_file(clients, hub, content, wait_for):
    first = clients.start("gate", locks_do_nothing=True)
    wait_for(first, lambda line: half_done(line, len(content)))
    second = clients.start("gate", locks_do_nothing=True)
    wait_for(second, lambda line: "stage" in line)
    hub.gate.set()
    for process in (first, second):
        assert clients.finish(process).results["gate"]["paths"] == [str(clients.path("gate"))]
    assert clients.path("gate").read_bytes() == content


def test_files_come_side_by_side_and_the_first_failure_keeps_the_rest(clients, hub, content):
    names = ("both-1", "both-2")
    told = clients.finish(clients.start(*names, together=True))  # each is answered only while the other is asked for
    assert told.results["both-1"]["paths"] == [str(clients.path(name)) for name in names]
    assert told.done["both-1"][-1] == 2 * len(content)

    names = ("gated", "always-stalled", "good")
    told = clients.finish(clients.start(*names, together=True, patience={"files_at_once": 2, "stall": 1.0}))
    assert told.results["good"]["error"] == "AccessError", "what no other try can mend ends it all"
    assert not list(clients.weights.glob("[!b]*/*.bin")), "nothing comes after the failure"


def test_a_full_disk_is_told_and_what_came_is_kept(clients, content):
    limit = len(content) // 3
    told = clients.run("good", file_size_limit=limit)
    assert told.results["good"]["error"] == "DiskFullError" and "is full" in told.results["good"]["message"]
    assert clients.part("good").stat().st_size == limit
    assert clients.run("good").results["good"]["asked"] == [len(content) - limit]
    assert clients.path("good").read_bytes() == content


def test_what_an_earlier_run_left(clients, hub, content):
    left = {
        "whole": (content, []),  # killed before it took its place: nobody is asked
        "good-piece": (content[:1000], ["bytes=1000-"]),
        "damaged-piece": (b"?" + content[1:1000], ["bytes=1000-", None]),  # found out at the end
        "damaged-whole": (b"?" + content[1:], [None]),
        "too-long": (content + b"!", [None]),
        "empty": (b"", [None]),
    }
    for name, (kept, _) in left.items():
        part = clients.part(name)
        part.parent.mkdir(parents=True)
        part.write_bytes(kept)
        part.with_name(part.name + ".json").write_text("{not json")
        part.with_name("weights.bin.0123456789ab.part").write_bytes(b"of another sha256")
    told = clients.run(*left)
    for name, (_, ranges) in left.items():
        assert clients.path(name).read_bytes() == content, told.results[name]
        assert [each.range for each in hub.of("files", name)] == ranges, name
        assert not list(clients.path(name).parent.glob("*.part*")), name
        assert told.done[name][-1:] in ([], [len(content)]), name


def test_places_that_cannot_be_written(clients):
    clients.part("part-taken").mkdir(parents=True)
    clients.path("path-taken").mkdir(parents=True)
    clients.path("folder-taken").parent.write_text("a file")
    told = clients.run("part-taken", "path-taken", "folder-taken")
    for name, found in told.results.items():
        assert found.get("error") == "OutputError" and name in found["message"], found
