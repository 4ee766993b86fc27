"""From a pose track to a figure's poses: any figure can do what a real driver does.

Inverse kinematics of the figure's own doll (``body.place``). A picture tells a limb's direction and, by how much
shorter it is than the track's longest, how far it points out of the picture; of the two ways out the likelier one is
taken.
"""

import math

import numpy as np

from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.figures.body import LEFT, RIGHT
from magicpose_cli.figures.figure_pose import FigurePose

_TORSO, _HEIGHT = 0.262, 0.87  # shares of a middling figure: torso of its height, its height of the picture's
_WIDTH = 0.75  # of the shoulders, as a share of the torso
_EYES, _NOSE_OUT = 0.86, 0.42  # in half widths of a head: between the pupils, from the eyes' plane to the nose
_LONGEST = 97  # percentile of a bone's seen lengths that counts as its length
_BONES = {
    RIGHT: (
        (kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW, kp.RIGHT_WRIST),
        (kp.RIGHT_HIP, kp.RIGHT_KNEE, kp.RIGHT_ANKLE),
        "right",
    ),
    LEFT: ((kp.LEFT_SHOULDER, kp.LEFT_ELBOW, kp.LEFT_WRIST), (kp.LEFT_HIP, kp.LEFT_KNEE, kp.LEFT_ANKLE), "left"),
}


def poses_from_track(track: PoseTrack) -> list[FigurePose]:
    """One pose a frame of ``track``. Missing points are filled from their neighbours in time; what is never seen
    (legs below the picture, a hand, a face) keeps the pose's defaults. Expressions are relative to the track's middle.
    """
    body = _filled(track.body)
    if not np.isfinite(body[:, [kp.NECK, kp.RIGHT_SHOULDER, kp.LEFT_SHOULDER]]).any():
        return [FigurePose()] * len(track)
    neck, hips = body[:, kp.NECK], (body[:, kp.RIGHT_HIP] + body[:, kp.LEFT_HIP]) / 2
    torso = float(np.nanpercentile(np.abs(neck - hips), _LONGEST)) if np.isfinite(hips).any() else math.nan
    width = np.real(body[:, kp.LEFT_SHOULDER] - body[:, kp.RIGHT_SHOULDER])
    if not math.isfinite(torso) or torso <= 0:
        torso = float(np.nanpercentile(np.abs(width), _LONGEST)) / _WIDTH
        hips = neck + 1j * torso
    hips = np.where(np.isfinite(hips), hips, neck + 1j * torso)
    unit = torso / _TORSO

    values: dict[str, np.ndarray] = {"turn": _turns(body, width, torso, track.body[:, kp.NOSE, 2] > 0)}
    turn = values["turn"]
    cosine = np.cos(turn)
    facing = np.where(np.abs(cosine) < 0.5, np.where(cosine < 0, -0.5, 0.5), cosine)
    up = neck - hips
    values["lean"] = np.arctan2(up.real / facing, -up.imag).clip(-0.6, 0.6)
    upright = np.exp(1j * values["lean"])
    level = np.maximum(np.nanpercentile(np.abs(width), _LONGEST), 1e-6)
    for name, right, left, base in (
        ("shoulder_tilt", kp.RIGHT_SHOULDER, kp.LEFT_SHOULDER, values["lean"]),
        ("hip_tilt", kp.RIGHT_HIP, kp.LEFT_HIP, 0.0),
    ):
        down = (body[:, left] - body[:, right]).imag / (level if name == "shoulder_tilt" else 0.5 * level)
        values[name] = (np.arcsin(np.clip(down, -0.6, 0.6)) - base * np.abs(cosine)).clip(-0.4, 0.4)

    side_points = min(track.width, track.height)
    values["scale"] = np.full(len(track), unit / (_HEIGHT * side_points))
    values["root_x"] = hips.real / side_points - 0.5 * track.width / side_points
    for side, (arm, leg, name) in _BONES.items():
        hand = _filled(track.right_hand if side == RIGHT else track.left_hand)
        _limb(values, body, arm, side, turn, upright, (f"{name}_shoulder", f"{name}_elbow"),
              (f"{name}_upper_arm_forward", f"{name}_forearm_forward"), (1, 1))  # fmt: skip
        _limb(values, body, leg, side, turn, np.ones_like(upright), (f"{name}_hip", f"{name}_knee"),
              (f"{name}_thigh_forward", f"{name}_shin_forward"), (1, -1))  # fmt: skip
        _hand(values, hand, body[:, arm[2]] - body[:, arm[1]], side, name, np.sign(cosine))
    _face(values, _filled(track.face), turn, values["lean"] * cosine)
    columns = {name: np.where(np.isfinite(column), column, _default(name)) for name, column in values.items()}
    return [FigurePose(**{name: float(c[frame]) for name, c in columns.items()}) for frame in range(len(track))]


def _default(name: str) -> float:
    return float(getattr(FigurePose(), name))


def _filled(points: np.ndarray) -> np.ndarray:
    """(F, N, 3) → complex (F, N), gaps filled in time; not a number where a point is never seen."""
    places = points[..., 0].astype(np.float64) + 1j * points[..., 1]
    frames = np.arange(len(points))
    for index in range(points.shape[1]):
        seen = points[:, index, 2] > 0
        places[:, index] = (
            np.interp(frames, frames[seen], places[seen, index].real)
            + 1j * np.interp(frames, frames[seen], places[seen, index].imag)
            if seen.any()
            else complex(math.nan, math.nan)
        )
    return places


def _turns(body: np.ndarray, width: np.ndarray, torso: float, nose_seen: np.ndarray) -> np.ndarray:
    """The body's turn: how far from its longest the shoulders' width is, and to which side the nose lies."""
    # Who is seen from the side alone never shows the whole width: then it is judged by the torso.
    longest = max(0.8 * _WIDTH * torso, float(np.nanpercentile(np.abs(width), _LONGEST)))
    size = np.arccos(np.clip(width / longest, -1, 1))
    aside = np.where(nose_seen, (body[:, kp.NOSE] - body[:, kp.NECK]).real / longest, math.nan)
    frames, known = np.arange(len(body)), np.isfinite(aside)
    aside = np.interp(frames, frames[known], aside[known]) if known.any() else np.ones(len(body))
    sure = np.clip(np.abs(aside) / 0.15, 0, 1)
    # A shoulder line a little short may be a tilt: such a turn counts only as far as the nose agrees.
    size = np.where(size < 0.7, size * sure, size)
    return np.unwrap(np.where(aside < 0, -size, size))


def _limb(
    values: dict[str, np.ndarray],
    body: np.ndarray,
    joints: tuple[int, int, int],
    side: int,
    turn: np.ndarray,
    upright: np.ndarray,
    angles: tuple[str, str],
    forwards: tuple[str, str],
    ways: tuple[int, int],
) -> None:
    """Two bones' angles in the body's plane and out of it; ``ways``: 1 where a bone rather points forward, -1 back."""
    above: np.ndarray | float = 0.0
    for start, end, angle_name, forward_name, way in zip(joints[:-1], joints[1:], angles, forwards, ways, strict=True):
        bone = body[:, end] - body[:, start]
        if not np.isfinite(bone).any():
            return
        length = max(1e-6, float(np.nanpercentile(np.abs(bone), _LONGEST)))
        seen = bone / np.maximum(np.abs(bone), length)
        out = np.sqrt(np.clip(1 - np.abs(seen) ** 2, 0, 1))
        cosine, sine = np.cos(turn), np.sin(turn)
        near, far = ((seen.real * cosine - d * sine, seen.real * sine + d * cosine) for d in (out, -out))
        further = way * far[1] + side * far[0] > way * near[1] + side * near[0]
        x, z = np.where(further, far, near)  # along the body's plane, and out of it
        flat = (x + 1j * seen.imag) / upright
        angle = np.unwrap(np.arctan2(side * flat.real, flat.imag))
        values[angle_name] = np.remainder(angle - above + math.pi, 2 * math.pi) - math.pi
        values[forward_name] = np.arcsin(np.clip(z, -1, 1))
        above = angle


def _hand(
    values: dict[str, np.ndarray], hand: np.ndarray, forearm: np.ndarray, side: int, name: str, front: np.ndarray
) -> None:
    if not np.isfinite(hand).any():
        return
    palm = hand[:, 9] - hand[:, 0]
    reach = np.maximum(np.abs(palm), 1e-6)
    way = side * front  # seen from behind, outward is the other way
    values[f"{name}_wrist"] = (-way * np.angle(palm / forearm)).clip(-0.8, 0.8)
    fingers = np.mean([np.abs(hand[:, k + 3] - hand[:, k]) for k in (5, 9, 13)], axis=0) / reach
    values[f"{name}_curl"] = ((1.28 - fingers) / 1.0).clip(0, 1)
    fan = np.abs(np.angle((hand[:, 6] - hand[:, 5]) / (hand[:, 18] - hand[:, 17])))
    values[f"{name}_spread"] = ((fan / 2.2 - 0.2) / 0.45).clip(0, 1)
    across = (hand[:, 5] - hand[:, 17]) / (palm / reach * 1j * way)
    values[f"{name}_roll"] = (across.real / (0.41 * reach / 0.425)).clip(-1, 1)


def _face(values: dict[str, np.ndarray], face: np.ndarray, turn: np.ndarray, lean: np.ndarray) -> None:
    """The head's turn and the expression, in the head's own axes; sizes are shares of bridge to chin."""
    if not np.isfinite(face).any():
        return
    eyes = [face[:, k : k + 6].mean(1) for k in (36, 42)]
    line = eyes[1] - eyes[0]
    flip = np.where(line.real < 0, -1, 1)
    axis = line * flip / np.maximum(np.abs(line), 1e-6)
    values["head_tilt"] = (np.angle(axis) - lean).clip(-0.7, 0.7)
    own = (face - face[:, 27:28]) / axis[:, None]
    high = np.maximum(own[:, 8].imag, 1e-6)[:, None]
    own = own / np.maximum(high, 0.7 * np.median(high))  # an open mouth lowers the chin
    middle = (own[:, 36:48]).mean(1)
    wide = np.maximum(np.abs(own[:, 42:48].mean(1) - own[:, 36:42].mean(1)).real, 0.05)
    yaw = np.arctan((own[:, 30].real - middle.real) / wide * _EYES / _NOSE_OUT)
    toward = np.remainder(turn + math.pi, 2 * math.pi) - math.pi
    values["head_turn"] = np.where(np.abs(toward) < 1.3, yaw - toward, 0.0).clip(-0.9, 0.9)
    values["head_nod"] = (3.0 * _beyond(own[:, 30].imag - middle.imag)).clip(-0.5, 0.5)

    opening = np.abs(own[:, 62] - own[:, 66]) / 0.34
    values["mouth_open"] = opening.clip(0, 1)
    spread = np.abs(own[:, 54] - own[:, 48]) / wide
    values["mouth_width"] = ((spread / max(1e-6, float(np.median(spread))) - 1) / 0.4).clip(-1, 1)
    corners = (own[:, 48] + own[:, 54]).imag / 2 - (own[:, 51] + own[:, 57]).imag / 2
    values["mouth_smile"] = (0.2 - _beyond(corners + 0.095 * opening) / 0.2).clip(-1, 1)
    heights = [np.abs(own[:, a] - own[:, b]) for a, b in ((37, 41), (38, 40), (43, 47), (44, 46))]
    lids = np.mean(heights, axis=0)
    values["eye_open"] = (lids / max(1e-6, float(np.median(lids)))).clip(0.03, 1.2)
    brows, inner = own[:, 17:27].imag.mean(1), (own[:, 21] + own[:, 22] - own[:, 17] - own[:, 26]).imag / 2
    values["brow_raise"] = (-_beyond(brows - middle.imag) / 0.13).clip(-1, 1.2)
    values["brow_frown"] = (_beyond(inner) / 0.2).clip(-1, 1)
    gaze = np.mean([own[:, 68 + k] - own[:, [36 + 6 * k, 39 + 6 * k]].mean(1) for k in (0, 1)], axis=0)
    half = np.mean([np.abs(own[:, 39 + 6 * k] - own[:, 36 + 6 * k]) for k in (0, 1)], axis=0) / 2
    values["gaze_x"] = (gaze.real / np.maximum(half, 1e-6) / 0.46).clip(-1, 1)
    values["gaze_y"] = (gaze.imag / np.maximum(half, 1e-6) / 0.4).clip(-1, 1)


def _beyond(column: np.ndarray) -> np.ndarray:
    """How far each value lies from the track's middle one."""
    return column - np.nanmedian(column)
