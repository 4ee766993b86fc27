"""Credentials that come out the same each time.

c2pa salts each assertion with random bytes, so that one that is taken out later cannot be guessed from its hash. Ours
are never taken out, and a run that was broken off and done again should end in the same file. So the salts become
zeros, and the hashes and the signature that follow from them are made anew: all of it as long as it was, in its place.
"""

import hashlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from magicpose_cli.provenance.identity import Identity

_HEADER = 8  # bytes of a box's size and type (ISO/IEC 19566-5)
_SALT, _DESCRIPTION, _SUPERBOX = b"c2sh", b"jumd", b"jumb"


class RecordingSigner:
    """Signs for c2pa with an identity, and with an Ed25519 key keeps what it signed, to sign it again."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        key = load_pem_private_key(identity.key.encode(), password=None)
        self._key = key if isinstance(key, Ed25519PrivateKey) else None
        self.message = b""
        self.signature = b""

    @property
    def repeats(self) -> bool:
        """True where the same message has the same signature."""
        return self._key is not None

    def for_c2pa(self) -> Any:
        import c2pa

        if self._key is None:
            info = c2pa.C2paSignerInfo(
                self._identity.algorithm, self._identity.certificates.encode(), self._identity.key.encode(), None
            )
            return c2pa.Signer.from_info(info)
        return c2pa.Signer.from_callback(self.sign, c2pa.C2paSigningAlg.ED25519, self._identity.certificates)

    def sign(self, message: bytes) -> bytes:
        assert self._key is not None
        self.message, self.signature = message, self._key.sign(message)
        return self.signature


def with_fixed_salts(file: Path, manifest: bytes, signer: RecordingSigner) -> None:
    """Put zeros for the salts of the ``manifest`` that ``file`` holds and ``signer`` signed; sign again.

    Does nothing where the key signs each time differently, or where the manifest is not laid out as expected.
    """
    if not signer.repeats:
        return
    changed, message, old = bytearray(manifest), signer.message, signer.signature
    for start, end, salt_start, salt_end in _salted(manifest):
        before = hashlib.sha256(changed[start:end]).digest()
        changed[salt_start:salt_end] = bytes(salt_end - salt_start)
        after = hashlib.sha256(changed[start:end]).digest()
        if message.count(before) != 1 or changed.count(before) != 1:
            return
        message = message.replace(before, after)
        changed = changed.replace(before, after)
    if changed.count(old) != 1:
        return
    changed = changed.replace(old, signer.sign(message))
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as content:
        for laid_out in (bytes, _as_gif_blocks):
            at = content.find(laid_out(manifest))
            if at >= 0:
                content[at : at + len(laid_out(manifest))] = laid_out(changed)
                return


def _as_gif_blocks(data: bytes) -> bytes:
    """As a GIF holds it: pieces of at most 255 bytes, each after its length."""
    pieces = [data[at : at + 255] for at in range(0, len(data), 255)]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def _salted(manifest: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Where the contents of each salted superbox begin and end, and where its salt does."""
    boxes = [(0, len(manifest))]
    while boxes:
        at, end = boxes.pop()
        while at + _HEADER <= end:
            size, kind = int.from_bytes(manifest[at : at + 4]), manifest[at + 4 : at + 8]
            if size < _HEADER or at + size > end:
                return
            if kind == _SUPERBOX:
                boxes.append((at + _HEADER, at + size))
            if kind == _DESCRIPTION:
                mark = manifest.find(_SALT, at, at + size)
                if mark > 0:
                    yield at, end, mark + 4, at + size
            at += size
