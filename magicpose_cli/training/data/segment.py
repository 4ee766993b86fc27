"""What one sample of a shard holds: a *segment*, a stretch of one video with what was found in each frame.

Its files, under one key: ``meta.json``; ``000.jpg``, ``001.jpg``, … (or PNG); and either ``poses.npz``, keypoints in
pixels of the stored frames, or ``000.pose.png``, …, the pose maps that somebody drew. The first frames are the stretch;
the last ``spread`` ones lie spread over the whole video, so that a reference far from the target is at hand in a stream
too.
"""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction

import cv2
import numpy as np

from magicpose_cli.core.errors import IntegrityError
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.pose.detector import PARTS

FPS = 30  # frames a second, of every video in a set
META_FILE, POSES_FILE = "meta.json", "poses.npz"
_JPEG_QUALITY = 95


@dataclass(frozen=True)
class SegmentInfo:
    """``numbers``: the frame of the video that each picture is, from 0 at 30 a second; the last ``spread`` are spread.

    ``width`` and ``height`` are the stored pictures', in pixels; ``picture`` is their suffix. ``sha256`` is the
    video's. ``drawn``: pose maps are stored in place of keypoints.
    """

    video: str
    sha256: str
    numbers: tuple[int, ...]
    spread: int
    width: int
    height: int
    picture: str
    drawn: bool
    split: str = ""  # known when all videos are
    fps: int = FPS

    @property
    def stretch(self) -> np.ndarray:
        """The rising frame numbers of the stretch."""
        return np.array(self.numbers[: len(self.numbers) - self.spread])

    @property
    def longest(self) -> int:
        """How many frames of the stretch follow one another without a gap, at most."""
        breaks = np.flatnonzero(np.diff(self.stretch) != 1) + 1
        return int(np.diff(np.r_[0, breaks, len(self.stretch)]).max())


@dataclass(frozen=True)
class Segment:
    """A stored segment whose pictures are decoded as they are asked for; ``where`` names the shard."""

    info: SegmentInfo
    poses: PoseTrack | None  # of all pictures
    read: Callable[[str], bytes]
    where: str

    def picture(self, index: int) -> np.ndarray:
        """RGB uint8 (height, width, 3)."""
        return self._decoded(f"{index:03d}.{self.info.picture}")

    def pose_map(self, index: int) -> np.ndarray:
        """The stored pose map of a picture, RGB uint8 of the same size."""
        return self._decoded(f"{index:03d}.pose.png")

    def _decoded(self, name: str) -> np.ndarray:
        picture = cv2.imdecode(np.frombuffer(_file(self.read, name, self.where), np.uint8), cv2.IMREAD_COLOR)
        if picture is None or picture.shape[:2] != (self.info.height, self.info.width):
            raise damaged(self.where, f"{name} is no picture of {self.info.width}x{self.info.height}")
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def open_segment(read: Callable[[str], bytes], where: str) -> Segment:
    """The segment whose files ``read`` gives by name. Raises IntegrityError where they are not one."""
    try:
        info = info_of(_file(read, META_FILE, where))
        poses = None
        if not info.drawn:
            with np.load(io.BytesIO(_file(read, POSES_FILE, where)), allow_pickle=False) as arrays:
                parts = {part: arrays[part] for part in PARTS}
            poses = PoseTrack(**parts, width=info.width, height=info.height, fps=Fraction(info.fps))
            if len(poses) != len(info.numbers):
                raise ValueError(f"{len(poses)} poses of {len(info.numbers)} pictures")
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise damaged(where, str(error)) from error
    return Segment(info, poses, read, where)


def segment_files(
    info: SegmentInfo, pictures: Sequence[bytes], poses: PoseTrack | None, maps: Sequence[bytes]
) -> dict[str, bytes]:
    """The files of a segment by name, for one sample of a tar."""
    files = {f"{index:03d}.{info.picture}": data for index, data in enumerate(pictures)}
    files |= {f"{index:03d}.pose.png": data for index, data in enumerate(maps)}
    files[META_FILE] = meta_bytes(info)
    if poses is not None:
        packed = io.BytesIO()
        np.savez_compressed(packed, **{part: getattr(poses, part) for part in PARTS})
        files[POSES_FILE] = packed.getvalue()
    return files


def meta_bytes(info: SegmentInfo) -> bytes:
    """The content of ``meta.json``; ``info_of`` is the way back."""
    return json.dumps(asdict(info)).encode()


def info_of(meta: bytes) -> SegmentInfo:
    fields = json.loads(meta)
    return SegmentInfo(**{**fields, "numbers": tuple(fields["numbers"])})


def encoded(picture: np.ndarray, suffix: str) -> bytes:
    """RGB uint8 (height, width, 3) as the bytes of a ``jpg`` or ``png``."""
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if suffix == "jpg" else []
    done, data = cv2.imencode(f".{suffix}", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    assert done
    return data.tobytes()


def damaged(where: str, what: str) -> IntegrityError:
    return IntegrityError(f"{where} is damaged: {what}", "copy it again, or make the set anew with magicpose dataset")


def _file(read: Callable[[str], bytes], name: str, where: str) -> bytes:
    try:
        return read(name)
    except KeyError:
        raise damaged(where, f"a sample lacks {name}") from None
