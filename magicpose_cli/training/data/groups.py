"""One group of a segment: which of its frames, cropped where, and what the network is told of them.

Letters: K targets, S size in pixels.
"""

from dataclasses import dataclass

import numpy as np

from magicpose_cli.conditions.draw import draw_track, stroke_for
from magicpose_cli.conditions.framing import apply_framing
from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.keypoints import BODY_THRESHOLD
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.pose.detector import PARTS
from magicpose_cli.training.config import DataOptions
from magicpose_cli.training.data.batch import MASK_CELL
from magicpose_cli.training.data.person_mask import coloured, mask_of_map, mask_of_points
from magicpose_cli.training.data.segment import FPS, Segment, SegmentInfo
from magicpose_cli.training.data.square import box_of, square_framing
from magicpose_cli.training.data.usable import certain_points

_BLACK = (0, 0, 0)


@dataclass(frozen=True)
class Group:
    """One reference, then K targets: uint8 ``images`` (1 + K, S, S, 3), ``pose_maps`` alike.

    ``person`` float32 (1 + K, S/8, S/8): the person's share of a cell, estimated from the skeleton.
    """

    images: np.ndarray
    pose_maps: np.ndarray
    person: np.ndarray


def clip_steps(options: DataOptions) -> np.ndarray:
    """(K,) frames of 30 a second from a clip's first frame to each of its frames. Raises UsageError above 30."""
    if options.clip_fps > FPS:
        raise UsageError(f"clip_fps is {options.clip_fps}, and the shards hold {FPS} frames a second", "lower clip_fps")
    return (np.arange(options.targets_per_reference) * FPS / options.clip_fps).round().astype(int)


def least_run(options: DataOptions) -> int:
    """How many frames without a gap a segment needs."""
    return int(clip_steps(options)[-1]) + 1 if options.clip_fps else 1


def choose_frames(info: SegmentInfo, options: DataOptions, rng: np.random.Generator) -> list[int]:
    """The pictures of a group, by their place in the segment: the reference, then K targets.

    Targets are any frames of the stretch, or with ``clip_fps`` consecutive ones at that rate. The reference is one of
    those spread over the video, and none of the targets where there is another.
    """
    stretch = info.stretch
    if options.clip_fps:
        steps = clip_steps(options)
        starts = np.arange(len(stretch) - steps[-1])
        whole = starts[stretch[starts + steps[-1]] - stretch[starts] == steps[-1]]
        targets = rng.choice(whole) + steps
    else:
        count = options.targets_per_reference
        targets = rng.choice(len(stretch), count, replace=count > len(stretch))
    shown = {info.numbers[n] for n in targets}
    spread = range(len(stretch), len(info.numbers))
    others = [n for n in spread if info.numbers[n] not in shown]
    others = others or [n for n in range(len(stretch)) if info.numbers[n] not in shown]
    reference = rng.choice(others or list(spread))
    return [int(reference), *(int(n) for n in targets)]


def read_group(segment: Segment, options: DataOptions, rng: np.random.Generator) -> Group:
    """Decode, crop and draw one group: a function of the segment and ``rng``. Raises IntegrityError."""
    info, size = segment.info, options.size
    chosen = choose_frames(info, options, rng)
    pictures = [segment.picture(n) for n in chosen]
    if segment.poses is None:
        drawn = [segment.pose_map(n) for n in chosen]
        places = np.concatenate([np.argwhere(coloured(pose_map))[:, ::-1] for pose_map in drawn])
        framing = square_framing(box_of(places, info.width, info.height), info.width, info.height, size, rng)
        maps = np.stack([apply_framing(pose_map, framing, _BLACK) for pose_map in drawn])
        masks = np.stack([mask_of_map(pose_map) for pose_map in maps])
    else:
        track = PoseTrack(
            **{part: getattr(segment.poses, part)[chosen] for part in PARTS},
            width=info.width,
            height=info.height,
            fps=segment.poses.fps,
        )
        places = certain_points(track.body, track.left_hand, track.right_hand, track.face, BODY_THRESHOLD)
        framing = square_framing(box_of(places, info.width, info.height), info.width, info.height, size, rng)
        track = track.map_points(framing.scale, *framing.offset, size, size)
        maps = draw_track(track, stroke=stroke_for(size))
        masks = np.stack(
            [
                mask_of_points(*parts, size)
                for parts in zip(track.body, track.left_hand, track.right_hand, track.face, strict=True)
            ]
        )
    images = np.stack([apply_framing(picture, framing) for picture in pictures])
    cells = masks.reshape(len(chosen), size // MASK_CELL, MASK_CELL, size // MASK_CELL, MASK_CELL)
    return Group(images, maps, cells.mean((2, 4), dtype=np.float32))
