"""Files are told by their content, and nothing in them runs."""

import io
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from magicpose_cli.core.errors import InputError, IntegrityError
from magicpose_cli.core.safe_load import file_format, load_tensors

_TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}


class _Evil:
    """Unpickled by a careless reader, this makes a file."""

    def __init__(self, canary):
        self.canary = str(canary)

    def __reduce__(self):
        return os.mkdir, (self.canary,)


def _same(found):
    return found.keys() == _TENSORS.keys() and all(torch.equal(found[n], t) for n, t in _TENSORS.items())


def test_the_name_says_nothing(tmp_path):
    torch.save(_TENSORS, tmp_path / "a.safetensors")
    torch.save({"state_dict": _TENSORS, "epoch": 3}, tmp_path / "b.txt", _use_new_zipfile_serialization=False)
    save_file(_TENSORS, tmp_path / "c.ckpt")
    assert [file_format(tmp_path / name) for name in ("a.safetensors", "b.txt", "c.ckpt")] == [
        "torch",
        "torch-legacy",
        "safetensors",
    ]
    for name in ("a.safetensors", "b.txt", "c.ckpt"):
        assert _same(load_tensors(tmp_path / name))


def test_parameters_come_as_plain_tensors(tmp_path):
    torch.save({"w": torch.nn.Parameter(torch.ones(2))}, tmp_path / "p.pth")
    assert not load_tensors(tmp_path / "p.pth")["w"].requires_grad


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("where", ["top", "beside", "inside"])
def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(new_format, where, tmp_path):
    canary = tmp_path / "canary"
    evil = _Evil(canary)
    content = {"top": evil, "beside": _TENSORS | {"x": evil}, "inside": {"state_dict": {"x": evil}}}[where]
    torch.save(content, tmp_path / "evil.th", _use_new_zipfile_serialization=new_format)
    with pytest.raises(IntegrityError, match=r"run code.*mkdir.*refused"):
        load_tensors(tmp_path / "evil.th")
    assert not canary.exists()


def test_a_bare_pickle_is_refused_and_runs_nothing(tmp_path):
    canary = tmp_path / "canary"
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "evil.ckpt").write_bytes(pickle.dumps(_Evil(canary), protocol))
        with pytest.raises((InputError, IntegrityError)):  # the oldest pickles begin like any text
            load_tensors(tmp_path / "evil.ckpt")
    assert not canary.exists()


def test_torchscript_and_other_archives_are_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "script.pt")
    with pytest.raises(IntegrityError, match="TorchScript"):
        load_tensors(tmp_path / "script.pt")
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match="ZIP archive"):
        load_tensors(tmp_path / "plain.zip")
    with tarfile.open(tmp_path / "old.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"), io.BytesIO())
    with pytest.raises(InputError, match="no checkpoint"):
        load_tensors(tmp_path / "old.tar")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n<!DOCTYPE html><html><body>Please log in", "web page"),
        (b"<HTML><head>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer"),
        (b"GGUF\x03\x00\x00\x00", "starts with 47 47 55 46"),
        (b"PK\x03\x04" + b"\0" * 50, "damaged or cut off"),
        (struct.pack("<Q", 20) + b'{"a": 1, "b"' + b" " * 8, "damaged safetensors"),
    ],
)
def test_other_files_get_one_clear_sentence(content, message, tmp_path):
    file = tmp_path / "odd [red]\n.ckpt"
    file.write_bytes(content)
    with pytest.raises(IntegrityError if "damaged" in message else InputError, match=message):
        load_tensors(file)


def test_what_is_not_named_tensors_is_refused(tmp_path):
    for i, content in enumerate(([torch.ones(1)], {"a": {"b": torch.ones(1)}}, {1: torch.ones(1)}, {"lr": 0.1}, {})):
        torch.save(content, tmp_path / f"{i}.pth")
        with pytest.raises(IntegrityError):
            load_tensors(tmp_path / f"{i}.pth")
    torch.save({"a": torch.eye(3).to_sparse()}, tmp_path / "sparse.pth")
    with pytest.raises(IntegrityError, match="sparse"):
        load_tensors(tmp_path / "sparse.pth")
    with pytest.raises(InputError, match="no such file"):
        load_tensors(tmp_path / "none.pth")
    with pytest.raises(InputError):
        load_tensors(tmp_path)


@settings(max_examples=60, deadline=None)
@given(position=st.floats(0, 1), byte=st.integers(0, 255), cut=st.booleans())
@example(position=0.8697877494221304, byte=64, cut=False)  # a zip version that zipfile does not implement
def test_damaged_files_load_whole_or_raise_ours(position, byte, cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    for name, write in (
        ("a", lambda file: torch.save(_TENSORS, file)),
        ("b", lambda file: torch.save(_TENSORS, file, _use_new_zipfile_serialization=False)),
        ("c", lambda file: save_file(_TENSORS, file)),
    ):
        write(folder / name)
        content = bytearray((folder / name).read_bytes())
        place = int(position * (len(content) - 1))
        if cut:
            del content[place:]
        else:
            content[place] = byte
        (folder / name).write_bytes(content)
        try:
            tensors = load_tensors(folder / name)
        except (InputError, IntegrityError):
            continue
        assert all(isinstance(values, torch.Tensor) for values in tensors.values())


def test_torch_loads_with_the_first_checkpoint():
    code = "import sys, magicpose_cli.core.safe_load; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
