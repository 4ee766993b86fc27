"""Hashes of files on disk."""

import os

import pytest

from magicpose_cli.core.errors import InputError, IntegrityError
from magicpose_cli.weights import store, verify
from magicpose_cli.weights.registry import load_registry


@pytest.fixture
def weight(entry, write_toml, tmp_path):
    return load_registry(write_toml(tmp_path / "weights.toml", [entry("one")])).weights[0]


@pytest.fixture
def path(weight, tmp_path, content):
    path = store.path_of(weight, tmp_path)
    path.parent.mkdir()
    path.write_bytes(content)
    return path


def test_right_wrong_and_missing(weight, path, content, tmp_path):
    verify.verify(path, weight)
    assert [found.state for found in verify.verify_all([weight], tmp_path)] == ["intact"]
    path.write_bytes(content[::-1])
    with pytest.raises(IntegrityError, match=weight.sha256):
        verify.verify(path, weight)
    (found,) = verify.verify_all([weight], tmp_path)
    assert found.state == "broken" and weight.sha256 in found.message
    path.unlink()
    assert [found.state for found in verify.verify_all([weight], tmp_path)] == ["missing"]
    with pytest.raises(InputError):
        verify.sha256_of(path)


def test_a_touched_file_is_hashed_again(weight, path, content):
    assert not store.was_verified(path, weight.sha256)
    assert verify.is_intact(path, weight) and store.was_verified(path, weight.sha256)
    state = path.stat()
    path.write_bytes(b"?" + content[1:])  # the same size
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert not store.was_verified(path, weight.sha256) and not verify.is_intact(path, weight)
    assert not store.was_verified(path, "0" * 64)
    path.with_name(path.name + ".verified").write_text("not json")
    assert not store.was_verified(path, weight.sha256)


def test_verify_all_reads_the_file_whatever_was_noted(weight, path, content, tmp_path):
    verify.verify(path, weight)
    state = path.stat()
    path.write_bytes(b"?" + content[1:])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert store.was_verified(path, weight.sha256), "size and time are as noted"
    assert [found.state for found in verify.verify_all([weight], tmp_path)] == ["broken"]


def test_progress_counts_every_byte(weight, path, content):
    from contextlib import contextmanager

    counted = []

    class Counter:
        @contextmanager
        def stage(self, name, total, unit="frame", done=0):
            assert (total, unit) == (len(content), "byte")
            yield lambda steps=1, detail="": counted.append(steps)

        def note(self, message):
            pass

    verify.verify(path, weight, Counter())
    assert sum(counted) == len(content)


def test_files_of_a_group_are_hashed_once_and_told_by_name(entry, write_toml, tmp_path, content, monkeypatch):
    entries = [entry("one", used_for=["eyes"]), entry("two", used_for=["eyes"]), entry("other", used_for=["ears"])]
    monkeypatch.setenv("MAGICPOSE_WEIGHTS_TOML", str(write_toml(tmp_path / "weights.toml", entries)))
    monkeypatch.setenv("MAGICPOSE_HOME", str(tmp_path))
    one, two, _ = load_registry().weights
    assert verify.intact_files("eyes") == verify.intact_files("unknown") == {}
    for weight in (one, two):
        path = store.path_of(weight)
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    assert verify.intact_files("eyes") == {"one": store.path_of(one), "two": store.path_of(two)}
    assert store.was_verified(store.path_of(one), one.sha256)
    store.path_of(two).write_bytes(content[::-1])
    with pytest.raises(IntegrityError, match="two") as caught:
        verify.intact_files("eyes")
    assert "magicpose download two" in caught.value.hint
