"""A torchvision whose C library does not load: broken before the guard, importable after it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# What the real torchvision does at import: try its library, then register shape functions for its operators.
TORCHVISION = """
import torch
try:
    torch.ops.load_library(__file__.replace("__init__.py", "_C.so"))
except OSError:
    pass
for name in ("nms", "qnms"):
    torch.library.register_fake("torchvision::" + name)(lambda dets, scores, iou_threshold: dets)
"""


@pytest.fixture
def broken_torchvision(tmp_path: Path) -> Path:
    folder = tmp_path / "torchvision"
    folder.mkdir()
    (folder / "__init__.py").write_text(TORCHVISION)
    (folder / "_C.so").write_bytes(b"built for another torch")
    return tmp_path


def python(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(Path(__file__).parents[2])])}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)


def test_without_the_guard_the_import_fails(broken_torchvision: Path) -> None:
    result = python("import torchvision", broken_torchvision)
    assert "operator torchvision::nms does not exist" in result.stderr


def test_with_the_guard_the_import_works(broken_torchvision: Path) -> None:
    code = """
from magicpose_cli.core.torchvision_guard import guard_torchvision
assert guard_torchvision() and guard_torchvision()
import gc, torchvision, torch
gc.collect()
torch.ops.torchvision.nms
"""
    result = python(code, broken_torchvision)
    assert result.returncode == 0, result.stderr


def test_nothing_is_done_or_loaded_where_torchvision_is_missing(tmp_path: Path) -> None:
    code = """
import importlib.machinery, sys
from magicpose_cli.core.torchvision_guard import guard_torchvision
sys.path = [p for p in sys.path if importlib.machinery.PathFinder.find_spec("torchvision", [p]) is None]
assert guard_torchvision() is False
assert "torch" not in sys.modules
"""
    result = python(code, tmp_path)
    assert result.returncode == 0, result.stderr
