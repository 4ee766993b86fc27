"""``convert`` is the one place where a pickle is opened: known or agreed to, in a process apart."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from magicpose_cli.animation.converting import convert
from magicpose_cli.core.disk import file_sha256
from magicpose_cli.core.errors import InputError, IntegrityError, RefusedError
from magicpose_cli.weights.store import mark_verified


class _Evil:
    def __init__(self, canary: Path) -> None:
        self.canary = str(canary)

    def __reduce__(self):
        return os.mkdir, (self.canary,)


def registry_of(file: Path, path: Path) -> None:
    path.write_text(
        f"""[[weight]]
name = "known"
repo = "someone/something"
file = "known.pth"
revision = "{"0" * 40}"
sha256 = "{file_sha256(file)}"
size = {file.stat().st_size}
format = "pickle"
licence = "MIT"
purpose = "a test"
used_for = []
"""
        + (Path(__file__).parents[2] / "weights.toml").read_text()
    )


def test_a_pickle_needs_a_known_sha256_or_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = tmp_path / "some.pth", tmp_path / "out"
    torch.save({"a": torch.ones(2)}, file)
    with pytest.raises(RefusedError, match="pickle") as caught:
        convert(file, out)
    assert "--allow-pickle" in caught.value.hint
    with pytest.raises(RefusedError):
        save_file({"a": torch.ones(2)}, tmp_path / "plain.safetensors")
        convert(tmp_path / "plain.safetensors", out, motion_module=file)
    # Opened, and found to be none of what can be converted:
    with pytest.raises(IntegrityError, match="neither a MagicPose checkpoint"):
        convert(file, out, allow_pickle=True)
    with pytest.raises(IntegrityError, match="neither a MagicPose checkpoint"):
        convert(tmp_path / "plain.safetensors", out)
    registry_of(file, tmp_path / "weights.toml")
    monkeypatch.setenv("MAGICPOSE_WEIGHTS_TOML", str(tmp_path / "weights.toml"))
    with pytest.raises(IntegrityError, match="neither a MagicPose checkpoint"):
        convert(file, out)
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")  # as large, but another
    with pytest.raises(RefusedError):
        convert(file, out)
    assert not out.exists()


def test_a_mark_that_came_with_a_pickle_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an archive may bring it: the sha256 of another file, and this one's size and time."""
    file, home = tmp_path / "some.pth", tmp_path / "home"
    torch.save({"a": torch.ones(2)}, file)
    registry_of(file, tmp_path / "weights.toml")
    monkeypatch.setenv("MAGICPOSE_WEIGHTS_TOML", str(tmp_path / "weights.toml"))
    monkeypatch.setenv("MAGICPOSE_HOME", str(home))
    known = file_sha256(file)
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")  # as large, but another
    mark_verified(file, known)
    with pytest.raises(RefusedError):
        convert(file, tmp_path / "out")
    (home / "weights").mkdir(parents=True)
    (home / "weights" / "link.pth").symlink_to(file)
    mark_verified(home / "weights" / "link.pth", known)
    with pytest.raises(RefusedError):
        convert(home / "weights" / "link.pth", tmp_path / "out")


def test_a_pickle_that_runs_code_runs_nothing_even_with_consent(tmp_path: Path) -> None:
    torch.save({"a": _Evil(tmp_path / "canary")}, tmp_path / "evil.pth")
    with pytest.raises(IntegrityError, match="run code"):
        convert(tmp_path / "evil.pth", tmp_path / "out", allow_pickle=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.pth"]


@pytest.mark.parametrize("content", [b"", b"hello", b"<html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_what_is_no_checkpoint_is_an_input_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(InputError):
        convert(tmp_path / "x.ckpt", tmp_path / "out")
