"""Who signs: a private key and its certificates, the user's own or made on this machine at first use.

A made one proves that a file was not changed since this machine signed it, and nothing about who sits there: its root
is known nowhere else. C2PA wants a signing certificate that its own key did not sign (2.2, 14.5), so there are two.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from magicpose_cli.core.errors import InputError
from magicpose_cli.core.temporaries import sweep, temporary_beside

CERTIFICATES, KEY = "certificates.pem", "private_key.pem"
_VALID = timedelta(days=365 * 30)  # without a time-stamping service, a signature ends with its certificate
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class Identity:
    """PEM texts: the certificates from the signer's up, and its key. ``algorithm`` is C2PA's name for it."""

    certificates: str
    key: str
    algorithm: str
    serial: str


def open_identity(folder: Path) -> Identity:
    """The identity in ``folder`` (certificates.pem and private_key.pem); made there where the folder is not.

    Raises InputError where the files are no certificates and key, or do not belong together; OSError where a folder
    cannot be made.
    """
    sweep(folder.parent)  # of a process that was killed while it made a key
    if not folder.exists():
        _make(folder)
    try:
        certificates = (folder / CERTIFICATES).read_text(encoding="ascii")
        key = (folder / KEY).read_text(encoding="ascii")
        first = x509.load_pem_x509_certificates(certificates.encode())[0]
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{folder} holds no certificates and key to sign with: {error}",
            f"put {CERTIFICATES} (yours first) and {KEY} (PEM, without a password) there, or remove the folder",
        ) from None
    if private.public_key() != first.public_key():
        raise InputError(f"the key in {folder} is not that of its first certificate", "put the signer's own first")
    return Identity(certificates, key, _algorithm(private, folder), str(first.serial_number))


def _algorithm(private: object, folder: Path) -> str:
    if isinstance(private, Ed25519PrivateKey):
        return "ed25519"
    if isinstance(private, EllipticCurvePrivateKey):
        if isinstance(private.curve, SECP256R1):
            return "es256"
        if isinstance(private.curve, SECP384R1):
            return "es384"
    if isinstance(private, RSAPrivateKey):
        return "ps256"
    raise InputError(f"the key in {folder} is of a kind that C2PA does not sign with", "use Ed25519, P-256 or RSA")


def _make(folder: Path) -> None:
    """A root that signs one certificate and is forgotten. Two processes may try at once: the first one's stays."""
    root, own = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    issuer, subject = _name("magicpose local root"), _name("a magicpose installation")
    top = _certificate(issuer, issuer, root, root, ("key_cert_sign", "crl_sign"), x509.BasicConstraints(True, 0))
    leaf = _certificate(subject, issuer, own, root, ("digital_signature",), x509.BasicConstraints(False, None))
    folder.parent.mkdir(parents=True, exist_ok=True)
    ready = temporary_beside(folder)
    ready.mkdir(mode=0o700)
    try:
        (ready / CERTIFICATES).write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (leaf, top)))
        with open(os.open(ready / KEY, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(
                own.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )
        try:
            ready.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(ready, ignore_errors=True)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "magicpose, made on the user's machine"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: Ed25519PrivateKey,
    signer: Ed25519PrivateKey,
    usages: tuple[str, ...],
    constraints: x509.BasicConstraints,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + _VALID)
        .add_extension(constraints, critical=True)
        .add_extension(x509.KeyUsage(**{usage: usage in usages for usage in _USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if not constraints.ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(signer, None)
