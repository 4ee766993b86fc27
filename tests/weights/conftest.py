"""A hub and a file server on this machine, speaking the Hub's protocol over real sockets, and a client process."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

REVISION = "0123456789abcdef0123456789abcdef01234567"
CONTENT = bytes(range(256)) * 12_000  # 3 MB

_CLIENT = """
import json, sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[1])) if event == "socket.connect" else None)
from magicpose_cli.core.errors import MagicPoseError
from magicpose_cli.core.progress import SILENT
from magicpose_cli.weights.download import download

class Progress:
    def __init__(self): self.notes = []
    stage = staticmethod(SILENT.stage)
    def note(self, message): self.notes.append(message)

results = {}
for name in sys.argv[1:]:
    progress, asked, before = Progress(), [], len(opened)
    try:
        paths = download([name], accept=lambda plan: asked.append(plan.download_bytes) or True, progress=progress)
        outcome = {"paths": [str(path) for path in paths]}
    except MagicPoseError as error:
        outcome = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    results[name] = outcome | {"notes": progress.notes, "asked": asked, "connections": len(opened) - before}
print(json.dumps(results))
"""


@dataclass
class LocalHub:
    """Which requests came in, by repository: (path, authorization). ``repo`` names choose the behaviour."""

    address: str = ""
    hub_requests: list[tuple[str, str | None]] = field(default_factory=list)
    file_requests: list[tuple[str, str | None]] = field(default_factory=list)
    failed_once: set[str] = field(default_factory=set)

    def first_time(self, repo: str) -> bool:
        first = repo not in self.failed_once
        self.failed_once.add(repo)
        return first


def _handlers(state: LocalHub, files_address: Callable[[], str]):
    class Quiet(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            pass

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

    class Hub(Quiet):
        def do_GET(self):
            state.hub_requests.append((self.path, self.headers.get("Authorization")))
            repo = self.path.split("/")[2]
            if repo == "moved":
                self.answer(307, Location=self.path.replace("/moved/", "/good/"))
            elif repo == "gated":
                self.answer(403, X_Error_Code="GatedRepo", X_Error_Message="Access is restricted")
            elif repo == "private":
                self.answer(401)
            elif repo == "gone":
                self.answer(404, X_Error_Code="EntryNotFound")
            elif repo == "old-commit":
                self.answer(404, X_Error_Code="RevisionNotFound")
            elif repo == "busy" and state.first_time(repo):
                self.answer(429, RateLimit='"resolvers";r=0;t=0')
            elif repo == "much-too-busy":
                self.answer(429, RateLimit='"resolvers";r=0;t=900')
            elif repo == "down":
                self.answer(503, Retry_After="0")
            elif repo == "login":
                self.answer(200, b"<html>please log in</html>", Content_Type="text/html; charset=utf-8")
            elif repo == "direct":
                self.answer(200, CONTENT, ETag='"x"', X_Repo_Commit=REVISION)
            else:
                location = f"{files_address()}/{repo}?X-Signature=secret-signature"
                self.answer(302, Location=location, X_Repo_Commit=REVISION, X_Linked_Size=str(len(CONTENT)))

    class Files(Quiet):
        def do_GET(self):
            state.file_requests.append((self.path, self.headers.get("Authorization")))
            repo = self.path[1:].split("?")[0]
            body = CONTENT
            if repo == "flipped":
                body = bytes([body[0] ^ 1]) + body[1:]
            elif repo == "longer":
                body += b"!"
            if repo == "cut" and state.first_time(repo):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
            elif repo == "unsized-short":
                self.send_response(200)
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body[:1000])
                self.close_connection = True
            else:
                self.answer(200, body)

    return Hub, Files


@pytest.fixture(scope="session")
def hub() -> Iterator[LocalHub]:
    state, servers = LocalHub(), []
    # 127.0.0.1 and localhost are two origins to the client, as the Hub and its file host are
    hub_handler, files_handler = _handlers(state, lambda: f"http://localhost:{servers[1].server_port}")
    for handler in (hub_handler, files_handler):
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    state.address = f"http://127.0.0.1:{servers[0].server_port}"
    yield state
    for server in servers:
        server.shutdown()
        server.server_close()


def entry(name: str, **changes: object) -> dict[str, object]:
    """A good entry of weights.toml for the local hub."""
    return {
        "name": name,
        "repo": f"someone/{name}",
        "file": "folder/weights.bin",
        "revision": REVISION,
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "size": len(CONTENT),
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


@pytest.fixture(scope="session")
def content() -> bytes:
    return CONTENT


@pytest.fixture
def client(hub: LocalHub, tmp_path: Path) -> Callable[..., dict[str, dict]]:
    """Run ``download`` for each name in one fresh process; what came of each, by name."""

    def run(*names: str, entries: list[dict[str, object]] | None = None, **environment: str) -> dict[str, dict]:
        registry = write_toml(tmp_path / "weights.toml", entries or [entry(name) for name in names])
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        settings = {
            "HF_ENDPOINT": hub.address,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DOWNLOAD_TIMEOUT": "5",
            "MAGICPOSE_HOME": str(tmp_path / "home"),
            "MAGICPOSE_WEIGHTS_TOML": str(registry),
            "NO_PROXY": "127.0.0.1,localhost",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        done = subprocess.run(
            [sys.executable, "-c", _CLIENT, *names],
            env=inherited | settings | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert not done.stderr, "a room writes nothing to the terminal"
        assert "hf_secret" not in done.stdout and "secret-signature" not in done.stdout
        return json.loads(done.stdout)

    return run
