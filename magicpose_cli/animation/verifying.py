"""``verify``: which marks of magicpose a file carries, what they say, and how sure that is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from magicpose_cli.animation.marking import COMMENT, watermark_name
from magicpose_cli.core.errors import InputError, UnmarkedError
from magicpose_cli.core.paths import signing_root
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.provenance.credentials import Credentials, read_credentials
from magicpose_cli.provenance.detection import Detection, Detector
from magicpose_cli.provenance.identity import Identity, open_identity
from magicpose_cli.video.comment import read_comment
from magicpose_cli.video.read import open_clip

_MOST_FRAMES = 48  # looked at, spread over the clip


@dataclass(frozen=True)
class Verification:
    """The three layers of a file. ``ours``: the watermark, or intact credentials that name magicpose, were found.

    A comment alone counts for nothing: anyone can write one.
    """

    file: Path
    frames: int
    watermark: Detection
    credentials: Credentials | None
    comment: str

    @property
    def ours(self) -> bool:
        return self.watermark.found or (
            self.credentials is not None and self.credentials.ours and self.credentials.intact
        )

    def sentences(self) -> list[str]:
        """One for each layer."""
        return [
            f"watermark:   {_of_watermark(self.watermark, self.frames)}",
            f"credentials: {_of_credentials(self.credentials)}",
            f"comment:     {_of_comment(self.comment)}",
        ]

    def to_json(self) -> dict[str, Any]:
        payload = self.watermark.payload
        watermark = {**asdict(self.watermark), "payload": None if payload is None else watermark_name(payload)}
        return {
            "file": str(self.file),
            "ours": self.ours,
            "frames": self.frames,
            "watermark": watermark,
            "credentials": None if self.credentials is None else asdict(self.credentials),
            "comment": self.comment,
        }


def verify(file: Path, progress: Progress = SILENT) -> Verification:
    """Look for the three layers in a video, GIF, WebP or image. Raises InputError, LimitError on what is unreadable."""
    if file.is_dir():
        raise InputError(f"{file} is a folder, not a file", "name a video or an image")
    clip = open_clip(file)
    step = -(-clip.frame_count // _MOST_FRAMES)
    detector = Detector()
    with progress.stage("looking for the watermark", clip.frame_count) as advance:
        for index, frame in enumerate(clip.frames()):
            if index % step == 0:
                detector.add(frame)
            advance()
        found = detector.result()
    looked_at = -(-clip.frame_count // step)
    return Verification(file, looked_at, found, read_credentials(file, _own_identity()), read_comment(file))


def unmarked_error(found: Verification) -> UnmarkedError | None:
    """The error to raise where the file is not known as ours."""
    if found.ours:
        return None
    said = ", but a comment, which anyone can write" if found.comment.startswith(COMMENT) else ""
    return UnmarkedError(
        f"no mark of magicpose was found in {found.file}{said}",
        "this proves nothing: marks can be lost, or were never made",
    )


def _own_identity() -> Identity | None:
    """This machine's, where it has one: looking makes none."""
    try:
        return open_identity(signing_root()) if signing_root().is_dir() else None
    except InputError:
        return None


def _of_watermark(found: Detection, frames: int) -> str:
    seen = f"z = {found.z:.1f} in {frames} frame{'s' * (frames != 1)}"
    if not found.found:
        return f"none found ({seen})"
    said = f"id {watermark_name(found.payload)}" if found.payload is not None else "its id is too faint to read"
    changed = [", mirrored"] * found.mirrored
    if found.cropped != (1.0, 1.0):
        changed.append(", cropped to about {:.0%} x {:.0%}".format(*found.cropped))
    sure = f"by chance in fewer than 1 of {1 / max(found.chance, 1e-30):.0e} files".replace("e+", "e")
    return f"magicpose; {said} ({seen}: {sure}{''.join(changed)})"


def _of_credentials(found: Credentials | None) -> str:
    if found is None:
        return "none found"
    if not found.intact:
        return f"broken: {'; '.join(found.problems) or 'the file was changed after it was signed'}"
    kind = "AI-generated" if found.ai_generated else "not said to be AI-generated"
    signer = f"'{found.signer}'" + (", this machine's key" if found.own_key else "")
    trust = "a trusted certificate" if found.trusted else "a certificate that no public list knows"
    model = f", model {found.facts['model']}" if "model" in found.facts else ""
    return f"intact; {kind}, by {found.generator}{model}; signed by {signer} with {trust}"


def _of_comment(comment: str) -> str:
    return f"'{comment}' (anyone can write one)" if comment else "none found"
