"""The driver's body → the body, the place and the size of the person in the reference photo."""

from dataclasses import dataclass, replace

import numpy as np

from magicpose_cli.conditions import limbs
from magicpose_cli.conditions.draw import BODY_THRESHOLD, DETAIL_THRESHOLD, Person
from magicpose_cli.conditions.face_fit import fit_face
from magicpose_cli.conditions.head_shape import BODY_POINTS, Heads, head_points, read_heads
from magicpose_cli.conditions.proportions import HEAD, PELVIS, Proportions, measure
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.errors import NoPersonError, UsageError
from magicpose_cli.core.names import FITS
from magicpose_cli.core.pose_track import PoseTrack

_LONG = 0.92  # quantile over a clip
_SCALE_RANGE = 1 / 20, 20.0  # of what the frames' sizes alone would give
_KNEES, _ANKLES = (kp.RIGHT_KNEE, kp.LEFT_KNEE), (kp.RIGHT_ANKLE, kp.LEFT_ANKLE)
_HIPS = (kp.RIGHT_HIP, kp.LEFT_HIP)
_ROOTS = (PELVIS, kp.NECK, HEAD)
_NEAR = 0.25  # share of the frames that count as near the clip's middle place
_DIRECTIONS = (
    (kp.NECK, PELVIS), (kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW), (kp.LEFT_SHOULDER, kp.LEFT_ELBOW),
    (kp.RIGHT_HIP, kp.RIGHT_KNEE), (kp.LEFT_HIP, kp.LEFT_KNEE),
)  # fmt: skip


@dataclass(frozen=True)
class FittedTrack:
    """A track in pixels of the reference photo.

    ``scale`` and ``shift`` place the body as a whole: ``x_photo = x_driver * scale + shift``. Limb by limb the track
    differs from that. ``notes`` are sentences for the user: what it was fitted by, what is missing, or why it was not.
    """

    track: PoseTrack
    scale: float
    shift: tuple[float, float]
    notes: tuple[str, ...] = ()


def fit_track(
    track: PoseTrack, reference_pose: Person | None, mode: str = "auto", *, width: int, height: int
) -> FittedTrack:
    found = _measured(track, reference_pose, mode, width, height)
    if isinstance(found, FittedTrack):
        return found
    driver, photo, whole = found
    return _limb_by_limb(track, driver, photo, whole)


def fit_whole(
    track: PoseTrack, reference_pose: Person | None, mode: str = "auto", *, width: int, height: int
) -> FittedTrack:
    found = _measured(track, reference_pose, mode, width, height)
    return found if isinstance(found, FittedTrack) else found[2]


@dataclass(frozen=True)
class _Seen:
    """A person over F frames, NaN where a point is not to be trusted."""

    points: np.ndarray  # (F, 75, 2), of the head
    heads: Heads | None
    joints: np.ndarray  # (F, 20, 2)
    proportions: Proportions | None


def _see(body, left_hand, right_hand, face) -> _Seen:
    trusted = np.where(body[..., 2:] >= BODY_THRESHOLD, body[..., :2].astype(np.float64), np.nan)
    for hand, wrist in ((right_hand, kp.RIGHT_WRIST), (left_hand, kp.LEFT_WRIST)):
        if hand is None: continue
        there = hand[:, 0, 2:] >= max(DETAIL_THRESHOLD, 1e-9)
        missing = np.isnan(trusted[:, wrist, :1])
        trusted[:, wrist] = np.where(there & missing, hand[:, 0, :2], trusted[:, wrist])
    seen_face = np.where(face[..., 2:] >= max(DETAIL_THRESHOLD, 1e-9), face[..., :2].astype(np.float64), np.nan)
    points = head_points(trusted, seen_face)
    heads = read_heads(points)
    ears = (trusted[:, kp.RIGHT_EAR] + trusted[:, kp.LEFT_EAR]) / 2
    middle = ears if heads is None else np.where(heads.seen[:, None], heads.middle, ears)
    joints = limbs.joints_of(trusted, middle)
    half_face = np.nan if heads is None else float(np.quantile(heads.size[heads.seen], _LONG))
    return _Seen(points, heads, joints, measure(joints, half_face))


def _measured(track, reference_pose, mode, width, height):
    if mode not in FITS:
        raise UsageError(f"unknown fit '{mode}'", f"use {' or '.join(FITS)}")
    scale = min(width / track.width, height / track.height)
    shift = (width - track.width * scale) / 2, (height - track.height * scale) / 2
    frame = FittedTrack(track.map_points(scale, *shift, width, height), scale, shift)
    if mode == "none":
        return frame
    p = reference_pose
    driver = _see(track.body, track.left_hand, track.right_hand, track.face)
    photo = _see(p.body[None], p.left_hand[None], p.right_hand[None], p.face[None])
    s = driver.proportions.height_ratio(photo.proportions)
    root = next(r for r in _ROOTS if np.isfinite(photo.joints[0, r]).all() and np.isfinite(driver.joints[:, r]).all(axis=1).any())
    joints = limbs.filled(driver.joints)
    anchor = _anchor(joints, photo.joints[0], root)
    sh = photo.joints[0, root] - s * joints[anchor, root]
    floors = np.array([_floor(photo.joints), _floor(driver.joints)])
    if np.isfinite(floors).all():
        sh[1] = floors[0] - s * floors[1]
    whole = FittedTrack(track.map_points(s, *sh, width, height), s, (float(sh[0]), float(sh[1])))
    return driver, photo, whole


def _floor(joints):
    low = limbs.lowest_ankle(joints)
    low = low[np.isfinite(low)]
    return float(np.quantile(low, 0.8)) if len(low) else np.nan


def _anchor(joints, photo, root):
    away = np.linalg.norm(joints[:, root] - np.median(joints[:, root], axis=0), axis=1)
    near = np.argsort(away, kind="stable")[: max(1, int(_NEAR * len(joints)))]
    unlike = np.zeros(len(near))
    for a, b in _DIRECTIONS:
        theirs, ours = joints[near, b] - joints[near, a], photo[b] - photo[a]
        cosine = (theirs @ ours) / (np.linalg.norm(theirs, axis=1) * np.linalg.norm(ours) + 1e-9)
        unlike += np.nan_to_num(1 - cosine)
    return int(near[np.argmin(unlike)])


def _limb_by_limb(track, driver, photo, whole):
    joints = limbs.filled(driver.joints)
    ratios = driver.proportions.ratios(photo.proportions)
    names = [n for n in ("neck", "torso", "thighs", "shins") if n in driver.proportions.lengths and n in photo.proportions.lengths]
    root = next(r for r in _ROOTS if np.isfinite(photo.joints[0, r]).all() and np.isfinite(joints[:, r]).all())
    place = whole.scale * joints[:, root] + whole.shift
    floors = np.array([_floor(photo.joints), _floor(driver.joints)])
    out = limbs.with_lengths(joints, ratios, root, place)
    if np.isfinite(floors).all() and root == PELVIS:
        above = floors[1] - limbs.lowest_ankle(joints)
        out[..., 1] += (floors[0] - whole.scale * above - limbs.lowest_ankle(out))[:, None]
    body = track.body.copy()
    b = np.where(np.isfinite(out[:, :18]), out[:, :18], whole.track.body[..., :2])
    body[..., :2] = b
    # head
    face = whole.track.face.copy()
    if driver.heads is not None and photo.heads is not None:
        sc = photo.heads.size[0] / float(np.quantile(driver.heads.size[driver.heads.seen], _LONG))
        new = fit_face(replace(driver.heads, middle=joints[:, HEAD]), driver.points, photo.heads, out[:, HEAD], sc)
        simple = out[:, None, HEAD] + sc * (driver.points - joints[:, None, HEAD])
        new = np.where(np.isfinite(new), new, simple)
        ok = np.isfinite(new[:, :70])
        face[..., :2] = np.where(ok, new[:, :70], face[..., :2])
        idx = list(BODY_POINTS)
        body[:, idx, :2] = np.where(np.isfinite(new[:, 70:]), new[:, 70:], body[:, idx, :2])
    hands = {}
    for n, w in (("left_hand", kp.LEFT_WRIST), ("right_hand", kp.RIGHT_WRIST)):
        h = getattr(track, n).copy()
        h[..., :2] = out[:, None, w] + ratios["forearms"] * (h[..., :2] - joints[:, None, w])
        h[..., :2] = np.where(np.isfinite(h[..., :2]), h[..., :2], getattr(whole.track, n)[..., :2])
        hands[n] = h
    parts = {"body": body, "face": face, **hands}
    for n, p in parts.items():
        p[getattr(track, n)[..., 2] <= 0] = 0
    return replace(whole, track=replace(whole.track, **parts))
