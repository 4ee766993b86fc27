"""The house's floors, checked by import-linter; and that the check bites where an import breaks them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("importlinter", reason="import-linter comes with the extra 'dev'")

ROOT = Path(__file__).parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the project's code that a test may break."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    code_only = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.json", "*.txt")
    shutil.copytree(ROOT / "magicpose_cli", tmp_path / "magicpose_cli", ignore=code_only)
    return tmp_path


def test_the_floors_hold() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("room", "line", "contract"),
    [
        ("core", "import magicpose_cli.video", "Five floors"),
        ("animation", "import magicpose_cli.training", "Five floors"),
        ("pose", "import magicpose_cli.conditions", "Five floors"),
        ("diffusion", "from magicpose_cli import weights", "Five floors"),
        ("weights", "import magicpose_cli.cli", "Five floors"),
        ("provenance", "import magicpose_cli.video", "Five floors"),
        ("diffusion", "import av", "diffusion is a library"),
        ("diffusion", "def late():\n    import huggingface_hub", "diffusion is a library"),
        ("animation", "from rich.console import Console", "Only cli talks"),
        ("core", "import typer", "Only cli talks"),
    ],
)
def test_a_forbidden_import_is_found(house: Path, room: str, line: str, contract: str) -> None:
    (house / "magicpose_cli" / room / "intruder.py").write_text(f"{line}\n")
    result = lint(house)
    assert result.returncode != 0
    assert any(contract in told and "BROKEN" in told for told in result.stdout.splitlines()), result.stdout


def test_a_room_without_a_floor_is_found(house: Path) -> None:
    room = house / "magicpose_cli" / "attic"
    room.mkdir()
    (room / "__init__.py").write_text('"""A room that nobody planned."""\n')
    result = lint(house)
    assert result.returncode != 0
    assert "magicpose_cli.attic" in result.stdout


def test_a_cycle_inside_a_room_is_found(house: Path) -> None:
    (house / "magicpose_cli/core/first.py").write_text("import magicpose_cli.core.second\n")
    (house / "magicpose_cli/core/second.py").write_text("import magicpose_cli.core.first\n")
    result = lint(house)
    assert result.returncode != 0
    assert any("No cycles" in told and "BROKEN" in told for told in result.stdout.splitlines()), result.stdout
