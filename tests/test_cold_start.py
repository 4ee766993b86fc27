"""Asking for help must not pay for a network library."""

import subprocess
import sys

import pytest

HEAVY = {
    "accelerate", "av", "c2pa", "cryptography", "cv2", "diffusers", "huggingface_hub", "imageio", "mediapipe",
    "numpy", "peft", "PIL", "safetensors", "scipy", "torch", "torchvision", "transformers",
}  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["animate", "--help"], ["dataset", "--help"], ["evaluate", "figures", "--help"]],
)
def test_no_heavy_import(words: list[str]) -> None:
    code = "import sys; from magicpose_cli.cli.app import main; sys.exit(main())"
    command = [sys.executable, "-X", "importtime", "-c", code, *words]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "magicpose_cli" in loaded
    assert not loaded & HEAVY
