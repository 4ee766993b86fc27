"""The driver's body → the place and the size of the person in the reference photo.

One scale and one shift for the whole clip: the motion itself is left as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from magicpose_cli.conditions.draw import BODY_THRESHOLD, DETAIL_THRESHOLD, Person
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.names import FITS
from magicpose_cli.core.pose_track import PoseTrack

# Lengths are foreshortened in most frames and never lengthened, so a driver's true length lies near the top of its
# range; the very top is left to outliers.
_LONG_QUANTILE = 80
_SHORTEST = 2.0  # pixels; a ratio of less is noise
_SCALE_RANGE = 1 / 20, 20.0  # of what the frames' sizes alone would give


@dataclass(frozen=True)
class FittedTrack:
    """A track in pixels of the reference photo: ``x_photo = x_driver * scale + shift``.

    ``notes`` are sentences for the user: what it was fitted by, or why it was not.
    """

    track: PoseTrack
    scale: float
    shift: tuple[float, float]
    notes: tuple[str, ...] = ()


def fit_track(
    track: PoseTrack, reference_pose: Person | None, mode: str = "auto", *, width: int, height: int
) -> FittedTrack:
    """Move a track into a reference photo of width × height pixels.

    ``none`` lays the driver's whole frame, centred and as large as it fits, onto the photo. ``auto`` gives the driver
    the height and the place of ``reference_pose`` (in the photo's pixels): the scale is the weighted median over the
    body lengths seen in both (stature, torso, shoulders, head, face; limbs where nothing else is seen), so that
    missing legs or one wrong point do not upset it. The person stands on the same ground where ankles are seen in
    both, else the necks (hips, noses, faces) meet. Without a person in the photo, or without a length seen in both,
    ``auto`` does what ``none`` does, with a note.

    Raises UsageError on an unknown mode.
    """
    if mode not in FITS:
        raise UsageError(f"unknown fit '{mode}'", f"use {' or '.join(FITS)}")
    scale = min(width / track.width, height / track.height)
    shift = (width - track.width * scale) / 2, (height - track.height * scale) / 2
    notes: tuple[str, ...] = ()
    if mode == "auto":
        whole = "the driver's whole frame is laid onto the photo"
        if reference_pose is None or not _known(reference_pose):
            notes = (f"No person is known in the reference photo: {whole}.",)
        else:
            found = _fit(track, reference_pose)
            if found is None or not _SCALE_RANGE[0] < found[0] / scale < _SCALE_RANGE[1]:
                notes = (f"No part of the body can be measured in both the photo and the poses: {whole}.",)
            else:
                scale, shift, measures = found
                by = ", ".join(measures[:3])
                notes = (f"The poses are fitted to the person in the photo: scaled by {scale:.2f}, by {by}.",)
    return FittedTrack(track.map_points(scale, *shift, width, height), scale, shift, notes)


def _fit(track: PoseTrack, person: Person) -> tuple[float, tuple[float, float], list[str]] | None:
    """Scale, shift and the names of the lengths that were used, weightiest first."""
    driver, photo = _Measured(track.body, track.face), _Measured(person.body[None], person.face[None])
    ratios, weights, names = [], [], []
    for name, weight, measure in _LENGTHS:
        theirs, ours = driver.length(measure), photo.length(measure)
        if theirs > _SHORTEST and ours > _SHORTEST:  # NaN where unseen: False
            ratios.append(ours / theirs)
            weights.append(weight)
            names.append(name)
    shift_of = next((anchor for anchor in _ANCHORS if driver.sees(anchor) and photo.sees(anchor)), None)
    if not ratios or shift_of is None:
        return None
    scale = _weighted_median(np.array(ratios), np.array(weights))
    x, y = photo.middle(shift_of) - scale * driver.middle(shift_of)
    grounds = photo.ground(), driver.ground()
    if np.isfinite(grounds).all():
        y = grounds[0] - scale * grounds[1]
    order = sorted(range(len(names)), key=lambda i: -weights[i])
    return scale, (float(x), float(y)), list(dict.fromkeys(names[i] for i in order))


class _Measured:
    """Points of F frames with NaN where a point is not to be trusted."""

    def __init__(self, body: np.ndarray, face: np.ndarray) -> None:
        self.body = np.where(_seen(body)[..., None], body[..., :2].astype(np.float64), np.nan)  # (F, 18, 2)
        self.face = np.where(_seen_face(face)[..., None], face[..., :2].astype(np.float64), np.nan)  # (F, 70, 2)

    def length(self, measure: "_Length") -> float:
        lengths = measure(self)
        lengths = lengths[np.isfinite(lengths)]
        return float(np.percentile(lengths, _LONG_QUANTILE)) if len(lengths) else float("nan")

    def between(self, a: int, b: int) -> np.ndarray:
        return np.linalg.norm(self.body[:, a] - self.body[:, b], axis=-1)  # (F,)

    def on_face(self, a: int, b: int) -> np.ndarray:
        return np.linalg.norm(self.face[:, a] - self.face[:, b], axis=-1)

    @property
    def hips(self) -> np.ndarray:
        return (self.body[:, kp.RIGHT_HIP] + self.body[:, kp.LEFT_HIP]) / 2  # (F, 2)

    def torso(self) -> np.ndarray:
        return np.linalg.norm(self.body[:, kp.NECK] - self.hips, axis=-1)

    def stature(self) -> np.ndarray:
        """Neck to hips to knee to ankle, along the bones: the same standing and crouching."""
        right = self.between(kp.RIGHT_HIP, kp.RIGHT_KNEE) + self.between(kp.RIGHT_KNEE, kp.RIGHT_ANKLE)
        left = self.between(kp.LEFT_HIP, kp.LEFT_KNEE) + self.between(kp.LEFT_KNEE, kp.LEFT_ANKLE)
        return self.torso() + np.fmax(right, left)

    def points(self, anchor: str) -> np.ndarray:
        if anchor == "hips":
            return self.hips
        if anchor == "face":
            return self.face.mean(axis=1)
        return self.body[:, {"neck": kp.NECK, "nose": kp.NOSE}[anchor]]

    def sees(self, anchor: str) -> bool:
        return bool(np.isfinite(self.points(anchor)).all(axis=-1).any())

    def middle(self, anchor: str) -> np.ndarray:
        return np.nanmedian(self.points(anchor), axis=0)  # (2,)

    def ground(self) -> float:
        """Height in pixels of the floor: where the lower ankle is in most frames. NaN where no ankle is seen."""
        lower = np.fmax(self.body[:, kp.RIGHT_ANKLE, 1], self.body[:, kp.LEFT_ANKLE, 1])
        lower = lower[np.isfinite(lower)]
        return float(np.percentile(lower, _LONG_QUANTILE)) if len(lower) else float("nan")


_Length = Callable[[_Measured], np.ndarray]


def _bone(a: int, b: int) -> _Length:
    return lambda measured: measured.between(a, b)


# Name, weight, length. Stature decides where it is seen, so that head and feet both meet; heads differ most between
# people. Limbs point towards the camera too often: they only count where nothing of trunk and head is seen.
_LIMB = 0.02
_LENGTHS: tuple[tuple[str, float, _Length], ...] = (
    ("stature", 8, _Measured.stature),
    ("torso", 3, _Measured.torso),
    ("shoulders", 2, _bone(kp.RIGHT_SHOULDER, kp.LEFT_SHOULDER)),
    ("hips", 0.5, _bone(kp.RIGHT_HIP, kp.LEFT_HIP)),
    ("upper arms", _LIMB, _bone(kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW)),
    ("upper arms", _LIMB, _bone(kp.LEFT_SHOULDER, kp.LEFT_ELBOW)),
    ("forearms", _LIMB, _bone(kp.RIGHT_ELBOW, kp.RIGHT_WRIST)),
    ("forearms", _LIMB, _bone(kp.LEFT_ELBOW, kp.LEFT_WRIST)),
    ("thighs", _LIMB, _bone(kp.RIGHT_HIP, kp.RIGHT_KNEE)),
    ("thighs", _LIMB, _bone(kp.LEFT_HIP, kp.LEFT_KNEE)),
    ("shins", _LIMB, _bone(kp.RIGHT_KNEE, kp.RIGHT_ANKLE)),
    ("shins", _LIMB, _bone(kp.LEFT_KNEE, kp.LEFT_ANKLE)),
    ("head", 0.7, _bone(kp.NECK, kp.NOSE)),
    ("head", 0.3, _bone(kp.RIGHT_EYE, kp.LEFT_EYE)),
    ("head", 0.3, _bone(kp.RIGHT_EAR, kp.LEFT_EAR)),
    ("face", 0.3, lambda measured: measured.on_face(0, 16)),  # jaw, from ear to ear
    ("face", 0.3, lambda measured: measured.on_face(27, 8)),  # bridge of the nose to the chin
)

_ANCHORS = ("neck", "hips", "nose", "face")


def _known(person: Person) -> bool:
    return bool(_seen(person.body).any() or _seen_face(person.face).any())


def _seen(body: np.ndarray) -> np.ndarray:
    return body[..., 2] >= BODY_THRESHOLD


def _seen_face(face: np.ndarray) -> np.ndarray:
    return face[..., 2] >= max(DETAIL_THRESHOLD, 1e-9)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2)])
