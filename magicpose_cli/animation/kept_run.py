"""A run of ``animate`` in its work folder: which latents are finished, what is under way, and on what they hang.

Frames are decoded and the video is written from them again at each start: that is fast, and gives the same bytes.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magicpose_cli.animation.request import AnimationRequest
from magicpose_cli.animation.run_folder import sha256_of
from magicpose_cli.animation.versions import versions
from magicpose_cli.core.disk import amount_of_bytes
from magicpose_cli.core.errors import DiskFullError, OutputError
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.core.work_folder import WorkFolder

if TYPE_CHECKING:
    from torch import Tensor

    from magicpose_cli.diffusion.under_way import UnderWay

_VERSION = 1  # of what is kept
_UNDER_WAY = "under-way"
_WINDOW, _SEGMENT, _TIMES_UNDER_WAY = 16, 64, 2 * 5  # the latest and the next, each with what a sampler remembers
_SHARE = 0.05  # of the time that keeping may take
# What says where things lie and what happens to finished frames; inputs are named by their sha256 instead.
_NOT_IN_LATENTS = ("reference", "poses", "reference_poses", "output", "compare", "audio", "existing", "offload")


def what_latents_hang_on(
    request: AnimationRequest, model: Path, hashes: dict[str, str], track: PoseTrack | None
) -> dict[str, Any]:
    """Plain data: with the same, the same latents come out. ``request`` has every default filled in."""
    said = {name: value for name, value in request.to_json().items() if name not in _NOT_IN_LATENTS}
    found = {**hashes, "weights": sha256_of(model)}
    if request.reference_poses:
        found["reference poses"] = sha256_of(request.reference_poses)
    if track is not None:  # of a driving video: which detector found it, and how
        points = np.concatenate([track.body, track.left_hand, track.right_hand, track.face], axis=1)
        found["track"] = hashlib.sha256(points.tobytes()).hexdigest()
    return {"version": _VERSION, "request": said, "sha256": found, "versions": versions()}


class KeptRun:
    """What the folder holds of a run, and keeps from now on.

    ``first`` is the frame with which the pipeline begins, or goes on from ``begun``. ``in_turn``: segments follow each
    other step by step (a motion module), so none can be made without what was under way beside it.
    """

    def __init__(self, work: WorkFolder, *, in_turn: bool) -> None:
        self._work = work
        self._paused_until = 0.0
        self.begun: UnderWay | None = self._read_under_way()
        finished = 0
        for name in work.names():
            if name != _UNDER_WAY and name == _name(finished) and (latents := self._read(name)) is not None:
                finished += len(latents)
        if self.begun and (self.begun.start > finished or (not in_turn and self.begun.start < finished)):
            self.begun = None
        if self.begun:
            self.first = self.begun.start
        else:
            self.first = 0 if in_turn else finished

    def frame_steps(self, steps: int) -> int:
        """Frames times steps that need not be made again, where each frame takes ``steps``."""
        return self.first * steps + (self.begun.frame_steps if self.begun else 0)

    def through(self, segments: Iterable[Tensor]) -> Iterator[Tensor]:
        """The segments that are kept, then those that the pipeline gives from ``first`` on, which are kept too."""
        import torch

        frame = 0
        while frame < self.first:
            latents = self._read(_name(frame))
            if latents is None:
                raise OutputError(
                    f"what was kept in {self._work.path} went away while this ran", "run the same command again"
                )
            yield torch.from_numpy(latents)
            frame += len(latents)
        for segment in segments:
            self._work.keep(_name(frame), {}, {"latents": segment.cpu().numpy()})
            frame += len(segment)
            yield segment

    def note_state(self, under_way: UnderWay) -> None:
        """Keep where the run is, as often as that costs little."""
        if time.monotonic() < self._paused_until:
            return
        began = time.monotonic()
        arrays = {name: tensor.cpu().numpy() for name, tensor in under_way.tensors.items()}
        self._work.keep(_UNDER_WAY, {"segments": under_way.numbers}, arrays)
        ended = time.monotonic()
        self._paused_until = ended + (ended - began) / _SHARE

    def _read_under_way(self) -> UnderWay | None:
        from magicpose_cli.diffusion.under_way import UnderWay

        found = self._work.kept(_UNDER_WAY)
        if found is None:
            return None
        import torch

        header, arrays = found
        return UnderWay({name: torch.from_numpy(array) for name, array in arrays.items()}, header["segments"])

    def _read(self, name: str) -> np.ndarray | None:
        found = self._work.kept(name)
        return None if found is None else found[1]["latents"]


def disk_need(frame_count: int, latent_size: int, steps: int, *, in_turn: bool) -> int:
    """Bytes that a run keeps at most, where the latents of a frame are ``latent_size`` numbers."""
    at_once = steps * _WINDOW if in_turn else _SEGMENT
    return (frame_count + min(frame_count, at_once) * _TIMES_UNDER_WAY) * latent_size * 4


def check_room(work: WorkFolder, frame_count: int, latent_size: int, request: AnimationRequest) -> None:
    """Raise DiskFullError where the disk has no room for what the run will keep."""
    needed = disk_need(frame_count, latent_size, request.steps or 1, in_turn=request.motion) - work.size
    free = shutil.disk_usage(work.path).free
    if free < needed:
        raise DiskFullError(
            f"the run keeps up to {amount_of_bytes(needed)} beside {request.output} until it is done, and "
            f"{amount_of_bytes(free)} are free there",
            "make room, or choose another place",
        )


def _name(first: int) -> str:
    """By number in order: of the segment that begins with this frame."""
    return f"latents-{first:09d}"
