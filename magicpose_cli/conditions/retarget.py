"""The driver's body → the body, the place and the size of the person in the reference photo."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from magicpose_cli.conditions.draw import Person
from magicpose_cli.conditions.face_fit import describe_face, fit_face
from magicpose_cli.conditions.head_shape import BODY_POINTS
from magicpose_cli.conditions.limbs import fill_gaps, floor_of, lowest_ankle, with_lengths
from magicpose_cli.conditions.partial_bodies import Parts, hold, leave_out
from magicpose_cli.conditions.proportions import HEAD, PELVIS
from magicpose_cli.conditions.seen_person import SeenPerson, see, see_photo
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.errors import NoPersonError, UsageError
from magicpose_cli.core.names import FITS
from magicpose_cli.core.pose_track import PoseTrack

_SCALE_RANGE = 1 / 20, 20.0  # of what the frames' sizes alone would give
_ROOTS = (PELVIS, kp.NECK, HEAD)  # where the bodies meet: the first that both show well
_OFTEN = 0.5  # share of the frames in which the driver's root had better be seen
_NEAR = 0.25  # share of the frames that count as near the clip's middle place
_WORTH_TELLING = 0.05  # of a difference between a limb's scale and the whole's
_DRIVERS_OWN = ": the driver's own are used, scaled as the whole"
_DIRECTIONS = (
    (kp.NECK, PELVIS), (kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW), (kp.LEFT_SHOULDER, kp.LEFT_ELBOW),
    (kp.RIGHT_ELBOW, kp.RIGHT_WRIST), (kp.LEFT_ELBOW, kp.LEFT_WRIST),
    (kp.RIGHT_HIP, kp.RIGHT_KNEE), (kp.LEFT_HIP, kp.LEFT_KNEE),
)  # fmt: skip


@dataclass(frozen=True)
class FittedTrack:
    """A track in pixels of the reference photo.

    ``scale`` and ``shift`` are those of the body as a whole, ``x_photo = x_driver * scale + shift``: limb by limb the
    track differs from it. ``matched`` is the number of the frame in which the driver meets the photo; None where
    nothing was fitted. ``notes`` are sentences for the user: what it was fitted by, what is missing, or why it was not
    fitted.
    """

    track: PoseTrack
    scale: float
    shift: tuple[float, float]
    notes: tuple[str, ...] = ()
    matched: int | None = None


def fit_track(
    track: PoseTrack, reference_pose: Person | None, mode: str = "auto", *, width: int, height: int
) -> FittedTrack:
    """Give the driver of a track the body, the face and the place of the person in a photo of width × height pixels.

    ``none`` lays the driver's whole frame, centred and as large as it fits, onto the photo. ``auto`` fits to
    ``reference_pose`` (in the photo's pixels), limb by limb: the bones are as long as those of the person in the photo,
    and point where the driver's do, in the picture and out of it; the root's motion is scaled by the height; the lower
    ankle keeps to the floor as far as the driver's does. Hands are scaled with the forearms. The face is the photo's
    with the driver's expression and turns (``face_fit``). Legs that the photo cannot show are left out, limbs that the
    poses never show are held as in the photo (``partial_bodies``). The clip meets the photo in one frame: of those near
    the clip's middle place, the most like the photo. Confidences stay, and missing points stay missing.

    Without a part of the body that is seen in both, ``auto`` does what ``none`` does, with a note. Raises NoPersonError
    where ``auto`` is given no person, UsageError on an unknown mode.
    """
    whole, met = _start(track, reference_pose, mode, width, height)
    if met is None or reference_pose is None:
        return whole
    parts, changed = _limb_by_limb(track, whole.track, met)
    parts, left_out = leave_out(parts, met.driver, met.photo)
    parts, held = hold(parts, met.driver, met.photo, reference_pose)
    fitted = PoseTrack(**parts, width=width, height=height, fps=track.fps)
    told = (
        f"The poses are fitted to the person in the photo: matched on frame {met.anchor}, "
        f"scaled by {met.scale:.2f}{changed}."
    )
    notes = (
        told,
        _of_shoulders(met.photo, _DRIVERS_OWN),
        *describe_face(met.driver.heads, met.photo.heads),
        left_out,
        held,
    )
    return replace(whole, track=fitted, notes=tuple(note for note in notes if note), matched=met.anchor)


def fit_whole(
    track: PoseTrack,
    reference_pose: Person | None,
    mode: str = "auto",
    *,
    width: int,
    height: int,
    frames: Sequence[int] | None = None,
) -> FittedTrack:
    """As ``fit_track``, but with one scale and one shift for all: drawn pose maps can only be moved as a whole.

    ``frames`` are the numbers that the track's frames have in the clip, where it holds only some of them.
    """
    whole, met = _start(track, reference_pose, mode, width, height)
    if met is None:
        return whole
    matched = met.anchor if frames is None else frames[met.anchor]
    told = (
        f"The poses are fitted to the person in the photo as a whole: matched on frame {matched}, "
        f"scaled by {met.scale:.2f}."
    )
    return replace(whole, notes=tuple(note for note in (told, _of_shoulders(met.photo)) if note), matched=matched)


def require_person(reference_pose: Person | None) -> Person:
    """The person in the photo. Raises NoPersonError where there is none to fit the poses to."""
    if reference_pose is None:
        raise NoPersonError(
            "no person was found in the reference photo, so the poses cannot be fitted to one",
            "give the person's keypoints with --reference-poses, or lay the poses' whole frame onto the photo with "
            "--fit none",
        )
    return reference_pose


@dataclass(frozen=True)
class _Meeting:
    """Two people seen, and where they meet: ``x_photo = x_driver * scale + shift``, by ``root`` in frame ``anchor``."""

    driver: SeenPerson
    photo: SeenPerson
    joints: np.ndarray  # (F, 20, 2) of the driver, without gaps in time
    scale: float
    shift: tuple[float, float]
    root: int
    anchor: int
    floors: tuple[float, float]  # y of the driver's and of the photo's, NaN where no ankle is seen


def _start(
    track: PoseTrack, reference_pose: Person | None, mode: str, width: int, height: int
) -> tuple[FittedTrack, _Meeting | None]:
    """The track moved as a whole, and how the two people meet: None where there is nothing to fit."""
    if mode not in FITS:
        raise UsageError(f"unknown fit '{mode}'", f"use {' or '.join(FITS)}")
    scale = min(width / track.width, height / track.height)
    shift = (width - track.width * scale) / 2, (height - track.height * scale) / 2
    framed = FittedTrack(track.map_points(scale, *shift, width, height), scale, shift)
    if mode == "none":
        return framed, None
    photo = see_photo(require_person(reference_pose))
    met = _meet(see(track.body, track.left_hand, track.right_hand, track.face), photo)
    if met is None or not _SCALE_RANGE[0] < met.scale / scale < _SCALE_RANGE[1]:
        nothing = (
            "No part of the body can be measured in both the photo and the poses: "
            "the driver's whole frame is laid onto the photo."
        )
        return replace(framed, notes=(nothing,)), None
    return FittedTrack(track.map_points(met.scale, *met.shift, width, height), met.scale, met.shift), met


def _meet(driver: SeenPerson, photo: SeenPerson) -> _Meeting | None:
    both = [joint for joint in _ROOTS if driver.shows(joint) and photo.shows(joint)]
    root = next((joint for joint in both if driver.share(joint) > _OFTEN), both[0] if both else None)
    if root is None or driver.proportions is None or photo.proportions is None:
        return None
    scale = driver.proportions.height_ratio(photo.proportions)
    joints = fill_gaps(driver.joints)
    anchor = _anchor(driver.joints, photo.joints[0], root)
    x, y = photo.joints[0, root] - scale * joints[anchor, root]
    floors = floor_of(driver.joints), floor_of(photo.joints)
    if np.isfinite(floors).all():
        y = floors[1] - scale * floors[0]
    return _Meeting(driver, photo, joints, scale, (float(x), float(y)), root, anchor, floors)


def _of_shoulders(photo: SeenPerson, instead: str = "") -> str:
    """A sentence where the photo's shoulders were dropped, with what is done ``instead``."""
    if not photo.narrow:
        return ""
    return (
        f"The shoulders found in the photo are too narrow to be true (seen from behind or from the side){instead}. "
        "Where the size is wrong, give the person's keypoints with --reference-poses, or a photo from the front."
    )


def _anchor(joints: np.ndarray, photo: np.ndarray, root: int) -> int:
    """The frame whose limbs point most as in the photo, of those whose root is nearest to its middle place.

    Only a frame that shows the root can be it: ``joints`` (F, 20, 2) have their gaps still.
    """
    shown = np.flatnonzero(np.isfinite(joints[:, root]).all(axis=1))
    away = np.linalg.norm(joints[shown, root] - np.median(joints[shown, root], axis=0), axis=1)
    near = shown[np.argsort(away, kind="stable")[: max(1, round(_NEAR * len(shown)))]]
    likeness = np.zeros(len(near))
    for a, b in _DIRECTIONS:
        theirs, ours = joints[near, b] - joints[near, a], photo[b] - photo[a]
        lengths = np.linalg.norm(theirs, axis=1) * np.linalg.norm(ours)
        likeness += np.nan_to_num(theirs @ ours / np.maximum(lengths, 1e-9))  # an unseen limb says nothing
    return int(near[np.argmax(likeness)])


def _limb_by_limb(track: PoseTrack, moved: PoseTrack, met: _Meeting) -> tuple[Parts, str]:
    """All points fitted, and words on what differs from the whole; ``moved`` gives what hangs on no joint."""
    driver, photo, joints = met.driver, met.photo, met.joints
    assert driver.proportions is not None and photo.proportions is not None
    ratios = driver.proportions.ratios(photo.proportions)
    out = with_lengths(joints, ratios, met.root, met.scale * joints[:, met.root] + met.shift, met.scale)
    if np.isfinite(met.floors).all():
        above = met.scale * (met.floors[0] - lowest_ankle(joints))
        out[..., 1] += (met.floors[1] - above - lowest_ankle(out))[:, None]

    head_scale = met.scale
    if driver.heads is not None and photo.heads is not None:
        head_scale = photo.head_size / driver.head_size
    head = out[:, None, HEAD] + head_scale * (driver.head_points - joints[:, None, HEAD])
    if driver.heads is not None and photo.heads is not None:
        heads = replace(driver.heads, middle=joints[:, HEAD])
        head = _first(fit_face(heads, driver.head_points, photo.heads, out[:, HEAD], head_scale), head)
    face, of_body = head[:, : kp.FACE_COUNT], list(BODY_POINTS)
    body = out[:, : kp.BODY_COUNT].copy()
    body[:, of_body] = _first(head[:, kp.FACE_COUNT :], body[:, of_body])
    places = {"body": body, "face": face}
    for name, wrist in (("left_hand", kp.LEFT_WRIST), ("right_hand", kp.RIGHT_WRIST)):
        from_wrist = getattr(track, name)[..., :2] - joints[:, None, wrist]
        places[name] = out[:, None, wrist] + ratios["forearms"] * from_wrist

    parts = {}
    for name, place in places.items():
        points = getattr(moved, name).astype(np.float64)
        fitted_too = np.isfinite(place).all(axis=2) & (points[..., 2] > 0)
        points[fitted_too, :2] = place[fitted_too]
        parts[name] = points
    arms = (ratios["upper arms"] + ratios["forearms"]) / 2
    legs = (ratios["thighs"] + ratios["shins"]) / 2
    differing = (("arms", arms), ("legs", legs), ("head", head_scale))
    return parts, "".join(
        f", {name} by {ratio:.2f}" for name, ratio in differing if abs(ratio / met.scale - 1) > _WORTH_TELLING
    )


def _first(places: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The others where the first are NaN."""
    return np.where(np.isfinite(places), places, others)
