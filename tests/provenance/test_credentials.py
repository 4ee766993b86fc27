import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from magicpose_cli.core.errors import InputError
from magicpose_cli.provenance.credentials import PARTLY_AI, read_credentials, sign
from magicpose_cli.provenance.identity import CERTIFICATES, KEY, Identity, open_identity
from magicpose_cli.video.read import open_clip
from magicpose_cli.video.write import write_video

FACTS = {"model": "mini", "inputs": {"reference": "sha256:00ff"}, "watermark": "a5c"}


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return open_identity(tmp_path_factory.mktemp("identity") / "signing")


def write(path: Path) -> bytes:
    frames = [np.full((48, 64, 3), 40 * index, np.uint8) for index in range(4)]
    write_video(path, frames, Fraction(12), width=64, height=48, overwrite=True)
    return path.read_bytes()


def own_identity(folder: Path) -> Identity:
    """What a user may have: a P-256 key, and a certificate that a root of their own signed."""
    root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    issuer = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A studio's root")])
    usages = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
         "encipher_only", "decipher_only"), False
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A studio")]))
        .public_key(key.public_key())
        .serial_number(77)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usages), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), False)
        .sign(root, SHA256())
    )
    folder.mkdir()
    (folder / CERTIFICATES).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / KEY).write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return open_identity(folder)


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".gif", ".webp"])
def test_what_is_signed_can_be_read_and_comes_out_the_same(suffix: str, tmp_path: Path, identity: Identity) -> None:
    file = tmp_path / f"out{suffix}"
    unsigned = write(file)
    assert read_credentials(file) is None
    assert sign(file, FACTS, identity)
    first = file.read_bytes()
    found = read_credentials(file, identity)
    assert found is not None
    assert (found.intact, found.ours, found.ai_generated, found.own_key, found.trusted) == (True,) * 4 + (False,)
    assert found.facts == FACTS and found.generator.startswith("magicpose ") and found.problems == ()
    assert open_clip(file).frame_count == 4
    assert os.listdir(tmp_path) == [file.name]

    file.write_bytes(unsigned)
    assert sign(file, FACTS, identity)
    assert file.read_bytes() == first


def test_matroska_holds_no_credentials(tmp_path: Path, identity: Identity) -> None:
    unsigned = write(tmp_path / "out.mkv")
    assert not sign(tmp_path / "out.mkv", FACTS, identity)
    assert (tmp_path / "out.mkv").read_bytes() == unsigned
    assert read_credentials(tmp_path / "out.mkv") is None


def test_a_changed_file_is_told(tmp_path: Path, identity: Identity) -> None:
    file = tmp_path / "out.mp4"
    write(file)
    sign(file, FACTS, identity)
    signed = file.read_bytes()
    for at in (len(signed) - 40, signed.index(b"sha256:00ff"), signed.index(b"mdat") + 50):
        changed = bytearray(signed)
        changed[at] ^= 1
        file.write_bytes(changed)
        found = read_credentials(file)
        assert found is not None and not found.intact and found.problems, at


def test_another_key_is_not_ours(tmp_path: Path, identity: Identity) -> None:
    other = open_identity(tmp_path / "other")
    write(tmp_path / "out.mp4")
    sign(tmp_path / "out.mp4", FACTS, other)
    found = read_credentials(tmp_path / "out.mp4", identity)
    assert found is not None and found.intact and not found.own_key


def test_a_composite_says_so(tmp_path: Path, identity: Identity) -> None:
    write(tmp_path / "out.mp4")
    sign(tmp_path / "out.mp4", FACTS, identity, PARTLY_AI)
    assert b"compositeWithTrainedAlgorithmicMedia" in (tmp_path / "out.mp4").read_bytes()
    found = read_credentials(tmp_path / "out.mp4")
    assert found is not None and found.ai_generated


def test_a_users_own_certificate(tmp_path: Path) -> None:
    own = own_identity(tmp_path / "own")
    assert own.algorithm == "es256"
    write(tmp_path / "out.mp4")
    assert sign(tmp_path / "out.mp4", FACTS, own)
    found = read_credentials(tmp_path / "out.mp4", own)
    assert found is not None and (found.intact, found.own_key, found.signer) == (True, True, "A studio")


def test_an_identity_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "signing"
    first = open_identity(folder)
    assert open_identity(folder) == first
    assert sorted(os.listdir(folder)) == sorted([CERTIFICATES, KEY])
    assert os.listdir(folder.parent) == ["signing"]
    if os.name == "posix":
        assert stat.S_IMODE((folder / KEY).stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    leaf, root = x509.load_pem_x509_certificates(first.certificates.encode())
    leaf.verify_directly_issued_by(root)
    names = leaf.subject.rfc4514_string() + root.subject.rfc4514_string()
    assert os.uname().nodename not in names and Path.home().name not in names.split()


@pytest.mark.parametrize("broken", ["certificates", "key", "another key", "empty"])
def test_a_broken_identity_is_told(tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "signing"
    if broken == "empty":
        folder.mkdir()
    else:
        open_identity(folder)
        open_identity(tmp_path / "other")
        if broken == "another key":
            (folder / KEY).write_bytes((tmp_path / "other" / KEY).read_bytes())
        else:
            (folder / (CERTIFICATES if broken == "certificates" else KEY)).write_text("nothing\n")
    with pytest.raises(InputError):
        open_identity(folder)


def test_nothing_is_asked_of_the_network(tmp_path: Path, identity: Identity) -> None:
    """A file may name a place where its credentials lie; looking there would tell that host who looks."""
    import socket
    import threading

    import c2pa

    file, remote = tmp_path / "out.mp4", tmp_path / "remote.mp4"
    write(file)
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: (server.accept(), asked.set()), daemon=True).start()
        created = {"action": "c2pa.created", "digitalSourceType": PARTLY_AI}
        builder = c2pa.Builder({"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}]})
        builder.set_no_embed()
        builder.set_remote_url(f"http://127.0.0.1:{server.getsockname()[1]}/manifest.c2pa")
        info = c2pa.C2paSignerInfo(b"ed25519", identity.certificates.encode(), identity.key.encode(), None)
        with file.open("rb") as source, remote.open("w+b") as target:
            builder.sign(c2pa.Signer.from_info(info), "video/mp4", source, target)
        code = (
            "import sys; from pathlib import Path; from magicpose_cli.provenance.credentials import read_credentials;"
        )
        code += "found = read_credentials(Path(sys.argv[1])); assert found is None or not found.ours"
        subprocess.run([sys.executable, "-c", code, str(remote)], check=True, timeout=60)
        assert not asked.is_set()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing is swept")
def test_what_a_kill_leaves_is_swept(tmp_path: Path) -> None:
    """Killed with the signed file, and with the new key, one step from their places."""
    write(tmp_path / "out.mp4")
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from magicpose_cli.provenance.credentials import sign\n"
        "from magicpose_cli.provenance.identity import open_identity\n"
        "def end(event, words):\n"
        "    if event == 'os.rename' and str(words[1]) == sys.argv[1]:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(end)\n"
        "identity = open_identity(Path('signing'))\n"
        "sign(Path('out.mp4'), {}, identity)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for target, left in (("signing", {"out.mp4"}), ("out.mp4", {"out.mp4", "signing"})):
        run = subprocess.run([sys.executable, "-c", code, target], cwd=tmp_path, env=environment)
        assert run.returncode == -signal.SIGKILL
        half_made = set(os.listdir(tmp_path)) - left
        assert len(half_made) == 1
        open_identity(tmp_path / "signing")
        assert set(os.listdir(tmp_path)) == {"out.mp4", "signing"}
