"""A reference photo and poses → the condition set that the network sees."""

import cv2
import numpy as np

from magicpose_cli.conditions.draw import BODY_THRESHOLD, DETAIL_THRESHOLD, Person, draw_track, stroke_for
from magicpose_cli.conditions.framing import Colour, apply_framing, describe, fit_framing, resize
from magicpose_cli.conditions.map_reading import find_joints
from magicpose_cli.conditions.pose_maps import PoseMapSource
from magicpose_cli.conditions.retarget import FittedTrack, fit_track, fit_whole
from magicpose_cli.core.clip import DEFAULT_RATE
from magicpose_cli.core.condition_set import ConditionSet
from magicpose_cli.core.keypoints import BODY_COUNT
from magicpose_cli.core.pose_track import PoseTrack

_MEASURED_MAPS = 24  # maps of a clip whose joints are read for the fit


def build_condition_set(
    reference: np.ndarray,
    *,
    track: PoseTrack | None = None,
    pose_maps: PoseMapSource | None = None,
    reference_pose: Person | None = None,
    width: int,
    height: int,
    fit: str = "auto",
    framing: str = "pad",
    background: str | Colour = "edge",
    stroke: float | None = None,
    threshold: float = BODY_THRESHOLD,
    detail_threshold: float = DETAIL_THRESHOLD,
) -> ConditionSet:
    """Frame the reference (RGB uint8 HWC) on a canvas of width × height and put the poses onto it.

    Either ``track`` or ``pose_maps`` is given. They are moved into the photo by ``fit`` (a track by
    ``retarget.fit_track``; of pose maps the joints are read back, and they move as a whole), then with the photo onto
    the canvas (``framing`` as in ``fit_framing``). ``stroke``, ``threshold`` and ``detail_threshold`` are those of
    ``draw_pose_map``; a stroke of None is ``stroke_for`` the canvas's shorter side.

    Raises UsageError on an unknown fit or framing.
    """
    if (track is None) == (pose_maps is None):
        raise ValueError("give either a track or pose maps")
    place = fit_framing(reference.shape[1], reference.shape[0], width, height, mode=framing)
    canvas = apply_framing(reference, place, background)
    size = {"width": reference.shape[1], "height": reference.shape[0]}
    framed = (describe(place),) if describe(place) else ()
    if pose_maps is not None:
        fitted = fit_whole(_track_of_maps(pose_maps, reference_pose, fit), reference_pose, fit, **size)
        scale = fitted.scale * place.scale
        shift = place.to_canvas(np.array(fitted.shift))

        def moved_maps(start: int, stop: int) -> np.ndarray:
            return np.stack([_moved(m, scale, shift, width, height) for m in pose_maps.read(start, stop)])

        return ConditionSet(canvas, pose_maps.frame_count, moved_maps, place, framed + fitted.notes)

    assert track is not None
    fitted = fit_track(track, reference_pose, fit, **size)
    on_canvas = fitted.track.map_points(place.scale, *place.offset, width, height)
    width_of_lines = stroke_for(min(width, height)) if stroke is None else stroke

    def drawn_maps(start: int, stop: int) -> np.ndarray:
        return draw_track(
            on_canvas, start, stop, threshold=threshold, detail_threshold=detail_threshold, stroke=width_of_lines
        )

    notes = framed + fitted.notes + _outside(fitted, threshold)
    return ConditionSet(canvas, len(track), drawn_maps, place, notes)


def _track_of_maps(maps: PoseMapSource, reference_pose: Person | None, fit: str) -> PoseTrack:
    """Joints of some of the maps: enough to fit the clip by. All missing where nothing is to be fitted."""
    empty = PoseTrack.empty(1, maps.width, maps.height, maps.fps or DEFAULT_RATE)
    if fit != "auto" or reference_pose is None:
        return empty
    numbers = np.unique(np.linspace(0, maps.frame_count - 1, _MEASURED_MAPS).astype(int))
    joints = np.stack([find_joints(maps.read(n, n + 1)[0]) for n in numbers.tolist()])
    assert joints.shape[1:] == (BODY_COUNT, 3)
    hidden = {"left_hand": empty.left_hand, "right_hand": empty.right_hand, "face": empty.face}
    blank = {name: np.repeat(points, len(joints), axis=0) for name, points in hidden.items()}
    return PoseTrack(body=joints, width=maps.width, height=maps.height, fps=empty.fps, **blank)


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


def _outside(fitted: FittedTrack, threshold: float) -> tuple[str, ...]:
    """A sentence where drawn joints leave the photo."""
    track = fitted.track
    x, y, confidence = np.moveaxis(track.body, -1, 0)  # (F, 18) each
    drawn = (confidence >= threshold) & (confidence > 0)
    outside = (x < 0) | (y < 0) | (x > track.width) | (y > track.height)
    frames = int((drawn & outside).any(axis=1).sum())
    if not frames:
        return ()
    return (f"In {frames} of {len(track)} frames part of the body leaves the picture.",)
