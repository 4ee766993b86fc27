"""What says that a video was generated: watermark, signed credentials, comment; chosen before the work begins."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from magicpose_cli import __version__
from magicpose_cli.animation.request import AnimationRequest
from magicpose_cli.core.paths import signing_root
from magicpose_cli.core.progress import Progress
from magicpose_cli.provenance.carrier import PAYLOAD_BITS
from magicpose_cli.provenance.credentials import AI_GENERATED, PARTLY_AI, sign
from magicpose_cli.provenance.identity import Identity, open_identity
from magicpose_cli.provenance.watermark import Watermark

COMMENT = "AI-generated with magicpose"  # how each comment begins


@dataclass
class Marks:
    """The marks of one request. ``payload`` None leaves the watermark out, ``identity`` None the credentials.

    ``hashes`` are the sha256 of what went in. ``signed`` becomes True once credentials are in the result.
    """

    payload: int | None
    hashes: dict[str, str]
    facts: dict[str, Any]
    identity: Identity | None
    progress: Progress
    signed: bool = field(default=False, init=False)

    @property
    def comment(self) -> str:
        named = f"; watermark {watermark_name(self.payload)}" if self.payload is not None else ""
        return f"{COMMENT} {__version__}{named}"

    def watermarked(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The frames (RGB uint8, all of one size), marked one by one."""
        watermark = None
        for frame in frames:
            if self.payload is not None and watermark is None:
                watermark = Watermark(self.payload, frame.shape[1], frame.shape[0])
            yield frame if watermark is None else watermark.mark(frame)

    def seal(self, file: Path) -> None:
        """Sign the finished result."""
        self.signed = self._sign(file, AI_GENERATED)

    def seal_composite(self, file: Path) -> None:
        """Sign a video that shows the result beside other pictures."""
        self._sign(file, PARTLY_AI)

    def to_json(self) -> dict[str, Any]:
        return {
            "watermark": None if self.payload is None else watermark_name(self.payload),
            "credentials": self.signed,
            "comment": self.comment,
        }

    def _sign(self, file: Path, source_type: str) -> bool:
        if self.identity is None:
            return False
        try:
            return sign(file, self.facts, self.identity, source_type)
        except ValueError as error:  # the work of hours is worth more than its signature
            remedy = f"the key lies in {signing_root()}; without that folder a new one is made"
            self.progress.note(f"the video is not signed: {error} ({remedy})")
            return False


def choose_marks(request: AnimationRequest, hashes: dict[str, str], progress: Progress) -> Marks:
    """The marks of the videos of ``request``, whose inputs have these ``hashes``.

    Raises InputError where the folder of key and certificates does not hold what it should.
    """
    payload = watermark_payload(request, hashes) if request.watermark else None
    if payload is None:
        progress.note("no watermark: a copy that is re-encoded cannot be recognised as generated")
    facts = {
        "model": Path(request.model).name,
        "inputs": {name: f"sha256:{value}" for name, value in hashes.items()},
        "watermark": None if payload is None else watermark_name(payload),
    }
    return Marks(payload, hashes, facts, _identity(progress), progress)


def watermark_payload(request: AnimationRequest, hashes: dict[str, str]) -> int:
    """Twelve bits of the hash of what made the video: the same for the same inputs, settings and seed."""
    settings = {**request.to_json(), "hashes": hashes}
    for name in ("reference", "poses", "reference_poses", "output", "model", "existing", "compare", "device"):
        del settings[name]  # places and what does not change the pictures; the hashes stand for the files
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:2]) >> (16 - PAYLOAD_BITS)


def watermark_name(payload: int) -> str:
    """``a3f``: as the record, the comment and ``verify`` show it."""
    return f"{payload:03x}"


def _identity(progress: Progress) -> Identity | None:
    folder = signing_root()
    try:
        return open_identity(folder)
    except OSError as error:
        progress.note(f"the video will not be signed: no key can be kept in {folder} ({error.strerror or error})")
        return None
