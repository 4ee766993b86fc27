"""Pose maps that others drew: a folder of images or a video, read as they are asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from magicpose_cli.conditions.map_reading import colours_swapped, is_black, looks_like_pose_map, looks_like_pose_maps
from magicpose_cli.core.clip import Clip
from magicpose_cli.core.confined import confined
from magicpose_cli.core.errors import InputError
from magicpose_cli.core.image_files import image_files, open_image

__all__ = ["PoseMapSource", "looks_like_pose_map", "looks_like_pose_maps", "open_pose_maps", "pose_maps_from_clip"]

_SAMPLES = 6  # maps looked at for swapped colours
_SWAPPED = "Red and blue are swapped in these pose maps (OpenCV writes RGB pictures so); they are swapped back."


@dataclass(frozen=True)
class PoseMapSource:
    """Pose maps of ``frame_count`` frames, each ``width`` × ``height`` pixels.

    ``read(start, stop)`` gives the maps of the frames start … stop - 1 as RGB uint8 (stop - start, height, width, 3)
    in the right colours; it raises InputError where a map cannot be read. ``fps`` is None where nothing tells it.
    ``notes`` are sentences for the user.
    """

    frame_count: int
    width: int
    height: int
    fps: Fraction | None
    read: Callable[[int, int], np.ndarray]
    notes: tuple[str, ...] = ()


def open_pose_maps(folder: Path) -> PoseMapSource:
    """The images of a folder in natural order of their names (2.png before 10.png), one a frame; no rate.

    Transparent parts are black. Raises InputError for a folder without images, images of different sizes or damaged
    ones (those when they are read), LimitError for a huge one.
    """
    files = image_files(folder)
    width, height = _size(files[0])
    for file in files[1:]:
        if (size := _size(file)) != (width, height):
            raise InputError(
                f"the pose maps differ in size: {files[0]} is {width}x{height}, {file} is {size[0]}x{size[1]}",
                "put only the pose maps of one clip into the folder",
            )

    def read(start: int, stop: int) -> np.ndarray:
        _check_range(start, stop, len(files))
        maps = np.empty((stop - start, height, width, 3), np.uint8)
        for i, file in enumerate(files[start:stop]):
            maps[i] = _read_map(file, width, height)
        return maps

    return _in_right_colours(PoseMapSource(len(files), width, height, None, read))


def pose_maps_from_clip(clip: Clip) -> PoseMapSource:
    """The frames of a pose-map video. Reading forward decodes each frame once; going back starts again.

    Raises InputError, when read, where the video ends before its frame count.
    """
    count = clip.frame_count
    if count < 1:
        raise InputError(f"{clip.path} holds no frame", "give another pose video")
    reader = _ClipReader(clip)

    def read(start: int, stop: int) -> np.ndarray:
        _check_range(start, stop, count)
        return np.stack([reader.frame(i) for i in range(start, stop)])

    return _in_right_colours(PoseMapSource(count, clip.width, clip.height, clip.fps, read))


class _ClipReader:
    """Frames of a clip by number."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.frames: Iterator[np.ndarray] = iter(())
        self.next = -1  # number of the frame that ``frames`` gives next; -1: not started

    def frame(self, number: int) -> np.ndarray:
        if self.next < 0 or number < self.next:
            self.frames, self.next = self.clip.frames(), 0
        for frame in self.frames:
            self.next += 1
            if self.next > number:
                return frame
        raise InputError(
            f"{self.clip.path} ends after frame {self.next - 1}, {self.clip.frame_count} were expected",
            "copy or download the file again",
        )


def _in_right_colours(source: PoseMapSource) -> PoseMapSource:
    """The source with red and blue swapped back, and a note, where they were swapped."""
    if not colours_swapped(_samples(source)):
        return source

    def read(start: int, stop: int) -> np.ndarray:
        return np.ascontiguousarray(source.read(start, stop)[..., ::-1])

    return PoseMapSource(source.frame_count, source.width, source.height, source.fps, read, (*source.notes, _SWAPPED))


def _samples(source: PoseMapSource) -> Iterator[np.ndarray]:
    """A few maps from the beginning that show something: going through a whole video would cost its decoding."""
    shown = 0
    for number in range(0, source.frame_count, max(1, min(5, source.frame_count // _SAMPLES))):
        pose_map = source.read(number, number + 1)[0]
        if not is_black(pose_map):
            yield pose_map
            shown += 1
        if shown == _SAMPLES:
            return


@confined()
def _size(file: Path) -> tuple[int, int]:
    with open_image(file) as image:
        return image.size


@confined()
def _read_map(file: Path, width: int, height: int) -> np.ndarray:
    from PIL import Image

    with open_image(file) as image:
        if image.size != (width, height):
            raise InputError(f"{file} changed its size while it was read", "run again when the folder is finished")
        try:
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                layer = image.convert("RGBA")
                black = Image.new("RGBA", layer.size, (0, 0, 0, 255))
                return np.asarray(Image.alpha_composite(black, layer).convert("RGB"))
            return np.asarray(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise InputError(f"the image {file} cannot be read: {error}", "draw the pose maps again") from error


def _check_range(start: int, stop: int, count: int) -> None:
    if not 0 <= start < stop <= count:
        raise ValueError(f"frames {start} to {stop} lie outside of 0 to {count}")
