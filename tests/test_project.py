"""The project as a whole: what the wheel carries, and that the pages speak of what is there."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from magicpose_cli import __version__
from magicpose_cli.cli.exit_codes import EXIT_CODES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "magicpose_cli"
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")),
    *sorted((ROOT / "docs").glob("*.md")),
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def magicpose_lines(text: str) -> list[str]:
    """The command lines that a page's code blocks tell the reader to type."""
    blocks = re.findall(r"^```(?:bash|sh|console)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("magicpose ")]


def test_the_wheel_carries_the_weights_list_and_the_embedded_model(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling comes with the extra 'dev'")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert archive.read("magicpose_cli/weights.toml") == (ROOT / "weights.toml").read_bytes()
        entry_points = archive.read(f"magicpose_cli-{__version__}.dist-info/entry_points.txt").decode()
    assert "magicpose = magicpose_cli.cli.app:main" in entry_points
    for path in PACKAGE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(ROOT).as_posix() in names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "examples/"))]


def test_the_extras_are_those_of_the_pages() -> None:
    assert set(PROJECT["optional-dependencies"]) == {
        "openpose",
        "dwpose",
        "metrics",
        "train",
        "cluster",
        "dev",
    }


def test_what_is_imported_is_declared() -> None:
    """Not only what comes along with something else. A module is known by the packages here that bring it."""
    wanted = [
        *PROJECT["dependencies"],
        *(each for extra in PROJECT["optional-dependencies"].values() for each in extra),
    ]
    declared = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in wanted}
    bringing = packages_distributions()
    for module in imported_modules() - set(sys.stdlib_module_names) - {"magicpose_cli"}:
        packages = {name.lower().replace("_", "-") for name in bringing.get(module, [module])}
        assert packages & declared, f"{module} comes with {' or '.join(packages)}, which pyproject.toml does not name"


def imported_modules() -> set[str]:
    """The first part of the name of everything that the package imports, inside functions too."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).split(".")[0])
    return found


def test_no_file_is_too_long() -> None:
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert not {name: count for name, count in lines.items() if count > 400}


def test_an_init_file_is_one_docstring() -> None:
    others = {PACKAGE / "__init__.py", PACKAGE / "diffusion" / "__init__.py"}
    for path in set(PACKAGE.rglob("__init__.py")) - others:
        body = ast.parse(path.read_text()).body
        assert len(body) == 1, path
        assert ast.get_docstring(ast.parse(path.read_text())), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


def test_the_architecture_page_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"`([\w/]+\.py|[\w/]+/)`", text)
    assert len(named) > 30
    folders = [PACKAGE, *(PACKAGE / room for room in ("pose", "diffusion", "training", "weights")), ROOT]
    assert not [name for name in named if not any((folder / name).exists() for folder in folders)]
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert not [room for room in rooms if f"`{room}/`" not in text]


def test_the_readme_lists_each_exit_code() -> None:
    listed = {int(code) for code in re.findall(r"\| (\d+) \|", (ROOT / "README.md").read_text())}
    assert listed == {0, 1, *EXIT_CODES.values()}


def test_the_readme_gives_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "pip install -e . && magicpose demo" in text
    assert "pip install -e '.[dev]' && pytest" in text


def test_commands_of_the_pages_have_the_options_they_are_given() -> None:
    lines = [line for page in PAGES for line in magicpose_lines(page.read_text())]
    assert len(lines) > 10
    asked: dict[str, set[str]] = {}
    for line in lines:
        words = line.split()
        command = " ".join(words[1:3]) if words[1] == "evaluate" else words[1]
        asked.setdefault(command, set()).update(word for word in words if word.startswith("-") and len(word) > 1)
    for command, options in asked.items():
        code = "from magicpose_cli.cli.app import main; main()"
        told = subprocess.run(
            [sys.executable, "-c", code, *command.split(), "--help"], capture_output=True, text=True, timeout=60
        )
        assert told.returncode == 0, told.stderr
        missing = [option for option in options if not re.search(rf"(^|[\s,]){option}\b", told.stdout)]
        assert not missing, f"magicpose {command} has no {missing}"
