"""``magicpose download`` as a user runs it, against the local hub."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_GUARDED = """
import sys
sys.addaudithook(lambda event, _: event.startswith("socket.") and sys.stderr.write(f"SOCKET {event}\\n"))
sys.argv = ["magicpose", *sys.argv[1:]]
from magicpose_cli.cli.app import main
main()
"""


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("cut", 0, "trying again in"),
        ("down", 30, "magicpose: error: cannot fetch down: 127.0.0.1: the server fails (503)"),
        ("much-too-busy", 30, "try again in 15 minutes"),
        ("gated", 31, "run 'hf auth login' or set HF_TOKEN"),
        ("gone", 32, "has no file folder/weights.bin for gone: someone/gone at 0123456789ab"),
        ("flipped", 33, "it should be"),
    ],
)
def test_each_end_has_its_code_and_its_sentence(name, code, words, clients, content):
    done = clients.cli("download", name, "--yes", "--tries", 2, names=(name,), HF_TOKEN="hf_secret")
    assert done.returncode == code, done.stderr
    assert words in done.stderr and "Traceback" not in done.stderr
    assert "hf_secret" not in done.stderr + done.stdout and "secret-signature" not in done.stderr + done.stdout
    assert clients.path(name).exists() == (code == 0)
    if code == 0:
        assert clients.path(name).read_bytes() == content and f"on disk: {clients.path(name)}" in done.stdout


@pytest.mark.parametrize(
    ("address", "code"), [("http://[::1", 2), ("http://host:many", 2), ("ftp://host", 30), ("nonsense", 30)]
)
def test_an_address_of_the_hub_that_is_none(address, code, clients):
    done = clients.cli("download", "good", "--yes", "--tries", 1, names=("good",), HF_ENDPOINT=address)
    assert done.returncode == code and "HF_ENDPOINT" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_offline_asked_once_and_verified(clients, content):
    done = clients.cli("download", "good", "--yes", names=("good",), HF_HUB_OFFLINE="1")
    assert done.returncode == 34 and "HF_HUB_OFFLINE forbids the network" in done.stderr
    done = clients.cli("download", "good", names=("good",))
    assert done.returncode == 2 and "licence of good: for tests" in done.stderr and "--yes" in done.stderr
    folder = clients.folder / "elsewhere"
    assert clients.cli("download", "good", "--yes", "--dir", folder, names=("good",)).returncode == 0
    (folder / "good" / "weights.bin").unlink()
    done = clients.cli("download", "good", "--dir", folder, names=("good",))
    assert done.returncode == 0, "the licence was accepted before: nobody need be asked"
    (folder / "good" / "weights.bin").write_bytes(content[::-1])
    done = clients.cli("download", "--verify", "--dir", folder, names=("good",))
    assert done.returncode == 33 and "magicpose download good" in done.stderr


def test_with_the_files_there_no_socket_is_opened(clients, hub, tmp_path):
    """Seen from inside and by the kernel, with no network at all: as far as this machine lets us look."""
    trace = tmp_path / "trace"
    alone = clients.if_it_works("unshare", "-n")
    traced = clients.if_it_works("strace", "-f", "-qq", "-e", "trace=socket,connect", "-o", str(trace))

    def download(prefix: list[str]) -> subprocess.CompletedProcess[str]:
        words = [*prefix, sys.executable, "-c", _GUARDED, "download", "good", "--yes", "--tries", "1"]
        environment = clients.environment(("good",))
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)

    if alone:
        assert download(alone).returncode == 30, "no network is no bug"
    done = download(traced)
    assert done.returncode == 0 and "SOCKET" in done.stderr, "the guard sees sockets"
    assert not traced or "connect(" in trace.read_text(), "and so does the kernel"
    seen = len(hub.asked)
    done = download([*alone, *traced])
    assert done.returncode == 0 and "SOCKET" not in done.stderr, done.stderr
    assert not traced or not trace.read_text(), "the kernel saw a socket"
    assert len(hub.asked) == seen


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this machine's own for 127.0.0.1, its key with it."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=127.0.0.1"]
        + ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "certificate.pem"],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "certificate.pem").read_text())
    return both


def test_a_line_that_cannot_be_trusted(clients, server, certificate, content):
    with server.local_hub(certificate) as hub:
        clients.hub = hub
        done = clients.cli("download", "direct", "--yes", names=("direct",))
        assert done.returncode == 30 and "cannot show that it is 127.0.0.1" in done.stderr, done.stderr
        trusted = {"SSL_CERT_FILE": str(certificate)}
        assert clients.cli("download", "direct", "--yes", names=("direct",), **trusted).returncode == 0
        assert clients.path("direct").read_bytes() == content
        done = clients.cli("download", "good", "--yes", names=("good",), HF_TOKEN="hf_secret", **trusted)
        assert done.returncode == 30 and "over an unprotected line: refused" in done.stderr, done.stderr
        assert not hub.of("files"), "the unprotected host is not even asked"
