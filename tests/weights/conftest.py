"""A local hub, and clients of it in processes of their own."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("hub_server", _HERE / "hub_server.py")
assert _spec and _spec.loader
hub_server = importlib.util.module_from_spec(_spec)
sys.modules["hub_server"] = hub_server
_spec.loader.exec_module(hub_server)

QUICK = {"tries": 3, "first_wait": 0.01, "stall": 30.0, "gain": 100_000}


@pytest.fixture(scope="session")
def server() -> Any:
    """The module of the local hub: its content, names of what it does, and ``local_hub``."""
    return hub_server


@pytest.fixture(scope="session")
def _hub() -> Iterator[Any]:
    with hub_server.local_hub() as hub:
        yield hub


@pytest.fixture
def hub(_hub: Any) -> Any:
    """The local hub, asked nothing so far."""
    _hub.forget()
    return _hub


@pytest.fixture(scope="session")
def content() -> bytes:
    return hub_server.CONTENT


def entry(name: str, **changes: object) -> dict[str, object]:
    """A good entry of weights.toml for the local hub."""
    return {
        "name": name,
        "repo": f"someone/{name}",
        "file": "folder/weights.bin",
        "revision": hub_server.REVISION,
        "sha256": hub_server.SHA256,
        "size": len(hub_server.CONTENT),
        "format": "safetensors",
        "licence": "for tests",
        "purpose": "a file of the tests",
        "used_for": [],
    } | changes


def write_toml(path: Path, entries: list[dict[str, object]]) -> Path:
    lines = []
    for one in entries:
        # JSON's strings, numbers and lists of them are TOML's too
        lines += ["[[weight]]", *(f"{key} = {json.dumps(value)}" for key, value in one.items()), ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(name="entry", scope="session")
def _entry() -> Callable[..., dict[str, object]]:
    return entry


@pytest.fixture(name="write_toml", scope="session")
def _write_toml() -> Callable[..., Path]:
    return write_toml


@dataclass
class Told:
    """What a client said: the outcome by name, and all notes and counts on the way."""

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    done: dict[str, list[int]] = field(default_factory=dict)

    def read(self, line: str) -> None:
        said = json.loads(line)
        now = "now"
        if "note" in said:
            self.notes.setdefault(now, []).append(said["note"])
        elif "done" in said:
            self.done.setdefault(now, []).append(said["done"])
        elif "result" in said:
            for name in said["of"]:
                self.results[name] = said["result"]
                self.notes[name] = self.notes.get(now, [])
                self.done[name] = self.done.get(now, [])
            self.notes.pop(now, None), self.done.pop(now, None)


@dataclass
class Clients:
    """Starts downloads against the local hub, with a home of their own."""

    hub: Any
    folder: Path

    @property
    def weights(self) -> Path:
        return self.folder / "home" / "weights"

    def path(self, name: str) -> Path:
        return self.weights / name / "weights.bin"

    def part(self, name: str) -> Path:
        return self.path(name).with_name(f"weights.bin.{hub_server.SHA256[:12]}.part")

    def environment(self, names: tuple[str, ...], entries: list | None = None, **changes: str) -> dict[str, str]:
        registry = write_toml(self.folder / "weights.toml", entries or [entry(name) for name in names])
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        settings = {
            "HF_ENDPOINT": self.hub.address,
            "HF_HOME": str(self.folder / "hf"),
            "MAGICPOSE_HOME": str(self.folder / "home"),
            "MAGICPOSE_WEIGHTS_TOML": str(registry),
            "NO_PROXY": "127.0.0.1,localhost",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        return kept | settings | changes

    def start(
        self,
        *names: str,
        entries: list | None = None,
        together: bool = False,
        locks_do_nothing: bool = False,
        file_size_limit: int = 0,
        patience: dict | None = None,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """A process that downloads these names, one call each (or all in one), and tells of it on its stdout."""
        job = {
            "names": names,
            "together": together,
            "patience": QUICK | (patience or {}),
            "locks_do_nothing": locks_do_nothing,
            "file_size_limit": file_size_limit,
        }
        return subprocess.Popen(
            [sys.executable, _HERE / "client.py", json.dumps(job)],
            env=self.environment(names, entries, **environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str], told: Told | None = None) -> Told:
        told = told or Told()
        out, err = process.communicate(timeout=120)
        for line in out.splitlines():
            told.read(line)
        assert process.returncode == 0 and not err, f"a room writes nothing to the terminal: {err}"
        assert "hf_secret" not in out and "secret-signature" not in out
        return told

    def run(self, *names: str, **settings: Any) -> Told:
        """Download these names, one call each; what came of them."""
        return self.finish(self.start(*names, **settings))

    def cli(self, *words: object, names: tuple[str, ...], **settings: Any) -> subprocess.CompletedProcess[str]:
        """``magicpose WORDS`` as a user without a terminal runs it."""
        prefix = settings.pop("prefix", [])
        return subprocess.run(
            [*prefix, sys.executable, "-m", "magicpose_cli", *map(str, words)],
            env=self.environment(names, **settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    @staticmethod
    def if_it_works(*words: str) -> list[str]:
        """These words, to be put before a command, where this machine has them and lets us; else none."""
        works = shutil.which(words[0]) and subprocess.run([*words, "true"], capture_output=True).returncode == 0
        return list(words) if works else []


def wait_for(process: subprocess.Popen[str], reached: Callable[[dict], bool], told: Told | None = None) -> None:
    """Read what the client tells until ``reached`` is true of a line."""
    assert process.stdout
    for line in process.stdout:
        if told:
            told.read(line)
        if reached(json.loads(line)):
            return
    raise AssertionError("the client ended before")


@pytest.fixture(name="wait_for", scope="session")
def _wait_for() -> Callable[..., None]:
    return wait_for


@pytest.fixture
def clients(hub: Any, tmp_path: Path) -> Clients:
    return Clients(hub, tmp_path)
