"""A reference photo and poses → the condition set that the network sees."""

import math
from dataclasses import replace

import cv2
import numpy as np

from magicpose_cli.conditions.draw import Person, draw_track, stroke_for
from magicpose_cli.conditions.framing import Colour, apply_framing, choose_canvas, describe, fit_framing, resize
from magicpose_cli.conditions.map_reading import find_joints
from magicpose_cli.conditions.paste_back import describe_paste, patch_of, with_room_to_fade
from magicpose_cli.conditions.pose_maps import PoseMapSource
from magicpose_cli.conditions.reach import Box, choose_box, reach_of, shown_joints
from magicpose_cli.conditions.retarget import fit_track, fit_whole
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.clip import DEFAULT_RATE
from magicpose_cli.core.condition_set import ConditionSet
from magicpose_cli.core.keypoints import BODY_THRESHOLD, DETAIL_THRESHOLD
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.core.seen import is_seen, without_scraps

_NAMED = 3  # joints that leave the picture most often
_MEASURED_MAPS = 24  # maps of a clip whose joints are read for the fit


def build_condition_set(
    reference: np.ndarray,
    *,
    track: PoseTrack | None = None,
    pose_maps: PoseMapSource | None = None,
    reference_pose: Person | None = None,
    size: int | tuple[int, int],
    multiple: int = 8,
    fit: str = "auto",
    framing: str = "auto",
    paste_back: bool = False,
    background: str | Colour = "edge",
    stroke: float | None = None,
    threshold: float = BODY_THRESHOLD,
    detail_threshold: float = DETAIL_THRESHOLD,
) -> ConditionSet:
    """Put the reference (RGB uint8 HWC) and the poses onto one canvas.

    Either ``track`` or ``pose_maps`` is given. They are moved into the photo by ``fit`` (a track by
    ``retarget.fit_track``; of pose maps the joints are read back, and they move as a whole). ``framing`` chooses the
    part of the photo that becomes the picture (``reach.choose_box``; ``auto`` needs to know the person), ``size`` and
    ``multiple`` the canvas it is scaled to (``framing.choose_canvas``). With ``paste_back`` the rest stays the photo,
    so the picture is as narrow as the motion and a seam round it: ``auto`` is ``person``, of any aspect. ``stroke``,
    ``threshold`` and ``detail_threshold`` are those of ``draw_pose_map``; a stroke of None is that of a square with
    the canvas's area.

    Raises NoPersonError where there is no ``reference_pose`` to fit to, UsageError on an unknown fit or framing, and on
    a size that does not fit.
    """
    if (track is None) == (pose_maps is None):
        raise ValueError("give either a track or pose maps")
    photo = {"width": reference.shape[1], "height": reference.shape[0]}
    if pose_maps is None:
        assert track is not None
        poses = replace(track, **without_scraps(track.parts))
        fitted = fit_track(poses, reference_pose, fit, **photo)
    else:
        poses, numbers = _track_of_maps(pose_maps, reference_pose, fit)
        fitted = fit_whole(poses, reference_pose, fit, **photo, frames=numbers)
    if paste_back and framing == "auto":
        framing = "person"
    reach = None
    if reference_pose is not None or framing == "person":
        reach = reach_of(fitted.track, reference_pose, threshold=threshold, detail_threshold=detail_threshold)
    box = choose_box(**photo, reach=reach, framing=framing, keep_aspect=not paste_back)
    if paste_back and framing == "person":
        box = with_room_to_fade(box, **photo)
    width, height = choose_canvas(box[2] - box[0], box[3] - box[1], size, multiple)
    place = fit_framing(**{f"source_{name}": side for name, side in photo.items()}, width=width, height=height, box=box)
    canvas = apply_framing(reference, place, background)
    told = describe_paste(place) if paste_back else describe(place)
    framed = (told,) if told else ()
    if pose_maps is not None:
        scale = fitted.scale * place.scale
        shift = place.to_canvas(np.array(fitted.shift))

        def moved_maps(start: int, stop: int) -> np.ndarray:
            return np.stack([_moved(m, scale, shift, width, height) for m in pose_maps.read(start, stop)])

        return ConditionSet(canvas, pose_maps.frame_count, moved_maps, place, framed + fitted.notes, fitted.matched)

    on_canvas = fitted.track.map_points(place.scale, *place.offset, width, height)
    width_of_lines = stroke_for(round(math.sqrt(width * height))) if stroke is None else stroke

    def drawn_maps(start: int, stop: int) -> np.ndarray:
        return draw_track(
            on_canvas, start, stop, threshold=threshold, detail_threshold=detail_threshold, stroke=width_of_lines
        )

    kept = patch_of(place) if paste_back else box
    shown = shown_joints(reference_pose, fitted.track, threshold)
    notes = framed + fitted.notes + _scraps(track) + _outside(fitted.track, kept, shown, threshold)
    return ConditionSet(canvas, len(poses), drawn_maps, place, notes, fitted.matched)


def _track_of_maps(maps: PoseMapSource, reference_pose: Person | None, fit: str) -> tuple[PoseTrack, list[int]]:
    """Joints of some of the maps, and their numbers: enough to fit the clip by. All missing where there is no fit."""
    empty = PoseTrack.empty(1, maps.width, maps.height, maps.fps or DEFAULT_RATE)
    if fit != "auto" or reference_pose is None:
        return empty, [0]
    numbers = np.unique(np.linspace(0, maps.frame_count - 1, _MEASURED_MAPS).astype(int)).tolist()
    joints = np.stack([find_joints(maps.read(n, n + 1)[0]) for n in numbers])
    assert joints.shape[1:] == (kp.BODY_COUNT, 3)
    hidden = {"left_hand": empty.left_hand, "right_hand": empty.right_hand, "face": empty.face}
    blank = {name: np.repeat(points, len(joints), axis=0) for name, points in hidden.items()}
    return PoseTrack(body=joints, width=maps.width, height=maps.height, fps=empty.fps, **blank), numbers


def _moved(pose_map: np.ndarray, scale: float, shift: np.ndarray, width: int, height: int) -> np.ndarray:
    """``x_canvas = x_map * scale + shift``, black around: RGB uint8 (height, width, 3)."""
    if scale < 1:
        # By area, or thin lines fall through; the shift is rounded to whole pixels, which such a map can bear.
        small = resize(pose_map, max(1, round(pose_map.shape[1] * scale)), max(1, round(pose_map.shape[0] * scale)))
        x, y = (int(v) for v in np.round(shift))
        canvas = np.zeros((height, width, 3), np.uint8)
        into = canvas[max(0, y) : max(0, y + small.shape[0]), max(0, x) : max(0, x + small.shape[1])]
        into[:] = small[max(0, -y) : max(0, -y) + into.shape[0], max(0, -x) : max(0, -x) + into.shape[1]]
        return canvas
    # OpenCV counts from pixel centres, framings from corners: half a pixel before, half a pixel after.
    offset = (0.5 * scale - 0.5) + shift
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    return cv2.warpAffine(pose_map, matrix, (width, height), flags=cv2.INTER_LINEAR)


def _scraps(track: PoseTrack) -> tuple[str, ...]:
    """A sentence where hands or faces have points, but too few to be drawn."""
    frames = {
        name.replace("_", " "): int(((points[..., 2] >= DETAIL_THRESHOLD).any(axis=1) & ~is_seen(points)).sum())
        for name, points in track.parts.items()
        if name != "body"
    }
    named = ", ".join(f"the {name} in {count:,} of {len(track):,} frames" for name, count in frames.items() if count)
    return (f"Not drawn, since less than a third of the points are there: {named}.",) if named else ()


def _outside(track: PoseTrack, box: Box, shown: list[int], threshold: float) -> tuple[str, ...]:
    """A sentence where drawn joints leave the picture, but for those that the photo cuts off at its lower edge too.

    ``shown`` are the joints that the photo shows.
    """
    x, y, confidence = np.moveaxis(track.body, -1, 0)  # (F, 18) each
    drawn = (confidence >= threshold) & (confidence > 0)
    outside = (x < box[0]) | (y < box[1]) | (x > box[2]) | (y > box[3])
    hidden = ~np.isin(np.arange(kp.BODY_COUNT), shown)
    cut = drawn & outside & ~(hidden & (y > track.height))
    frames = int(cut.any(axis=1).sum())
    if not frames:
        return ()
    often = np.argsort(-cut.sum(axis=0), kind="stable")[:_NAMED]
    named = ", ".join(kp.BODY_NAMES[joint].replace("_", " ") for joint in often if cut[:, joint].any())
    return (f"In {frames} of {len(track)} frames part of the body leaves the picture: most often {named}.",)
