"""Bone lengths of a driver and of the person in a photo, from where joints are seen.

A bone is seen at its length or shorter: it may point out of the picture. Over a clip its length lies near the longest
that is seen. A single photo says less, so lengths are weighed against how people are built: of all statures that the
person may have, how likely does each make the lengths that are seen?
"""

from dataclasses import dataclass

import numpy as np

from magicpose_cli.core import keypoints as kp

PELVIS, HEAD = kp.BODY_COUNT, kp.BODY_COUNT + 1
"""Joints beside the body's 18: the middle of the hips, and the middle between the ears."""
JOINT_COUNT = kp.BODY_COUNT + 2


@dataclass(frozen=True)
class Segment:
    """Bones of one length, right and left: pairs of joints; the length as a share of an adult's stature.

    ``spread`` is the standard deviation between people, children among them, as a share of the length; ``tilt`` how far
    the bone mostly points out of the picture in a photo, in radians.
    """

    ends: tuple[tuple[int, int], ...]
    share: float
    spread: float
    tilt: float


# Shares after Drillis and Contini, "Body Segment Parameters" (1966), changed to where detectors see the joints.
SEGMENTS = {
    "torso": Segment(((kp.NECK, PELVIS),), 0.28, 0.08, 0.05),
    "neck": Segment(((kp.NECK, HEAD),), 0.125, 0.2, 0.05),
    "shoulders": Segment(((kp.NECK, kp.RIGHT_SHOULDER), (kp.NECK, kp.LEFT_SHOULDER)), 0.105, 0.12, 0.25),
    "upper arms": Segment(((kp.RIGHT_SHOULDER, kp.RIGHT_ELBOW), (kp.LEFT_SHOULDER, kp.LEFT_ELBOW)), 0.165, 0.1, 0.25),
    "forearms": Segment(((kp.RIGHT_ELBOW, kp.RIGHT_WRIST), (kp.LEFT_ELBOW, kp.LEFT_WRIST)), 0.145, 0.1, 0.45),
    "hips": Segment(((PELVIS, kp.RIGHT_HIP), (PELVIS, kp.LEFT_HIP)), 0.052, 0.15, 0.25),
    "thighs": Segment(((kp.RIGHT_HIP, kp.RIGHT_KNEE), (kp.LEFT_HIP, kp.LEFT_KNEE)), 0.235, 0.1, 0.15),
    "shins": Segment(((kp.RIGHT_KNEE, kp.RIGHT_ANKLE), (kp.LEFT_KNEE, kp.LEFT_ANKLE)), 0.23, 0.1, 0.15),
}
_UPRIGHT = ("neck", "torso", "thighs", "shins")
_FACE_SHARE, _FACE_SPREAD = 0.045, 0.3  # half a face's width: no bone, and never foreshortened

LONG_QUANTILE = 0.92
"""Of lengths seen over a clip: what lies above it is left to outliers."""
_SHORTEST = 2.0  # pixels; less is noise
_NOISE = 0.025  # of a seen length
_RANGE = 2.0  # how much more one segment may differ between two people than the whole
_ARM_PULL = 0.4  # forearms point at the viewer as no other bone does, and go with the upper arms: those count so much
_ANGLES = np.linspace(0, np.pi / 2, 33)
_STATURES = np.exp(np.linspace(-1.2, 1.2, 121))  # tried, around a first guess
_LENGTHS = np.linspace(-2.5, 2.5, 41)  # tried, in spreads from the share that is expected


@dataclass(frozen=True)
class Proportions:
    """Lengths in pixels of the segments that were seen; ``stature`` is the person's, as far as they tell."""

    stature: float
    lengths: dict[str, float]
    half_face: float = float("nan")  # as it was given

    def height_ratio(self, other: "Proportions") -> float:
        """How many times taller the other is: by what a standing height is made of, where the torso is seen in both,
        else by all bones that are, else by the faces, else by the statures.
        """
        both = [name for name in self.lengths if name in other.lengths]
        known = [name for name in _UPRIGHT if name in both] if "torso" in both else both
        if not known:
            faces = other.half_face / self.half_face
            return faces if np.isfinite(faces) else other.stature / self.stature
        return sum(other.lengths[name] for name in known) / sum(self.lengths[name] for name in known)

    def ratios(self, other: "Proportions") -> dict[str, float]:
        """For each segment how many times longer the other's is: the height's ratio where one is not seen."""
        whole = self.height_ratio(other)
        ratios = {
            name: float(np.clip(other.lengths[name] / self.lengths[name], whole / _RANGE, whole * _RANGE))
            if name in self.lengths and name in other.lengths
            else whole
            for name in SEGMENTS
        }
        ratios["forearms"] = ratios["forearms"] ** (1 - _ARM_PULL) * ratios["upper arms"] ** _ARM_PULL
        return ratios


def measure(joints: np.ndarray, half_face: float = float("nan")) -> Proportions | None:
    """Lengths from joints (F, 20, 2) in pixels, NaN where not seen, and half a face's width; None where none is seen.

    The posterior mean over stature, lengths, and how far each bone points out of the picture.
    """
    seen: dict[str, list[tuple[float, int]]] = {}  # of each side: the longest, in how many frames
    for name, segment in SEGMENTS.items():
        for a, b in segment.ends:
            lengths = np.linalg.norm(joints[:, a] - joints[:, b], axis=1)
            lengths = lengths[np.isfinite(lengths)]
            if len(lengths) and (longest := float(np.quantile(lengths, LONG_QUANTILE))) > _SHORTEST:
                seen.setdefault(name, []).append((longest, len(lengths)))
    guesses = [max(sides)[0] / SEGMENTS[name].share for name, sides in seen.items()]
    if half_face > _SHORTEST:  # NaN: False
        guesses.append(half_face / _FACE_SHARE)
    if not guesses:
        return None
    statures = _STATURES * float(np.median(guesses))  # (S,)
    log_chance = np.zeros(len(statures))
    if half_face > _SHORTEST:
        log_chance -= (np.log(half_face / _FACE_SHARE / statures) / _FACE_SPREAD) ** 2 / 2
    expected = {}
    for name, sides in seen.items():
        segment = SEGMENTS[name]
        tried = statures[:, None] * segment.share * np.exp(segment.spread * _LENGTHS)  # (S, L)
        chance = np.broadcast_to(np.exp(-(_LENGTHS**2) / 2), tried.shape)
        for longest, frames in sides:
            chance = chance * _likelihood(longest / tried, segment.tilt, frames) / tried
        total = chance.sum(axis=1)
        expected[name] = (chance * tried).sum(axis=1) / total
        log_chance += np.log(total)
    weights = np.exp(log_chance - log_chance.max())
    weights /= weights.sum()
    lengths = {name: float(weights @ given) for name, given in expected.items()}
    return Proportions(float(weights @ statures), lengths, half_face)


def _likelihood(shortening: np.ndarray, tilt: float, frames: int) -> np.ndarray:
    """Of seen length over true length, the longest of so many frames.

    Most bones lie near the picture's plane, some point anywhere; in one of many frames they come nearer to it.
    """
    anywhere = 0.3 / np.sqrt(frames)
    near = np.exp(-((_ANGLES * np.sqrt(frames) / tilt) ** 2) / 2)
    weights = (1 - anywhere) * near / near.sum() + anywhere / len(_ANGLES)
    off = (shortening[..., None] - np.cos(_ANGLES)) / _NOISE
    return np.exp(-(off**2) / 2) @ weights + 1e-9
