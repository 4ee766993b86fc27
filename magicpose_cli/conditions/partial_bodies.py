"""Limbs that a photo cannot show are left out; those that the poses never show are held as they are in the photo."""

import numpy as np

from magicpose_cli.conditions.draw import Person
from magicpose_cli.conditions.proportions import HEAD
from magicpose_cli.conditions.seen_person import SeenPerson
from magicpose_cli.core import keypoints as kp
from magicpose_cli.core.keypoints import BODY_THRESHOLD, DETAIL_THRESHOLD

Parts = dict[str, np.ndarray]
"""``body``, ``left_hand``, ``right_hand``, ``face``: (F, points, 3) each, in pixels of the photo."""

_SELDOM, _MOSTLY = 0.05, 0.95  # shares of the frames: below the first, a limb counts as never shown
_HIPS = [kp.RIGHT_HIP, kp.LEFT_HIP]
_KNEES, _ANKLES = [kp.RIGHT_KNEE, kp.LEFT_KNEE], [kp.RIGHT_ANKLE, kp.LEFT_ANKLE]
# What is held together, from the head down: a word for it, its joints, and the hands at its ends.
_HELD: tuple[tuple[str, list[int], tuple[str, ...]], ...] = (
    ("shoulders", [kp.NECK, kp.RIGHT_SHOULDER, kp.LEFT_SHOULDER], ()),
    ("arms", [kp.RIGHT_ELBOW, kp.RIGHT_WRIST, kp.LEFT_ELBOW, kp.LEFT_WRIST], ("right_hand", "left_hand")),
    ("hips", _HIPS, ()),
    ("legs", [*_KNEES, *_ANKLES], ()),
)


def leave_out(parts: Parts, driver: SeenPerson, photo: SeenPerson) -> tuple[Parts, str]:
    """Without knees and ankles that the photo does not show, and a sentence on it (empty where nothing is left out)."""
    missing = [joints for joints in (_KNEES, _ANKLES) if not any(photo.shows(joint) for joint in joints)]
    if _KNEES in missing:
        missing = [_KNEES, _ANKLES]  # no shin without a knee
    gone = [joint for joints in missing for joint in joints]
    if not any(driver.shows(joint) for joint in gone):
        return parts, ""
    body = parts["body"].copy()
    body[:, gone] = 0
    part = "legs" if len(missing) == 2 else "feet"
    return parts | {"body": body}, f"The photo does not show the {part}: those of the poses are left out."


def hold(parts: Parts, driver: SeenPerson, photo: SeenPerson, person: Person) -> tuple[Parts, str]:
    """With the photo's own limbs where the poses never show them (but for a few frames), and a sentence on it.

    They go with the neck (or the head, where that is all there is), the less the lower they are, so that feet stay.
    """
    lead = kp.NECK if driver.share(kp.NECK) > _SELDOM else kp.NOSE
    held = [
        (word, joints, hands)
        for word, joints, hands in _HELD
        if max(map(driver.share, joints)) <= _SELDOM and any(map(photo.shows, joints))
    ]
    if any(word == "legs" for word, _, _ in held) and max(map(driver.share, _HIPS)) < _MOSTLY:
        held = [one for one in _HELD if one in held or one[0] == "hips"]  # no legs that hang on nothing now and then
    if not held or not photo.shows(lead):
        return parts, ""
    parts = {name: points.copy() for name, points in parts.items()}
    place = photo.joints[0, lead]
    there = parts["body"][:, lead, 2] >= BODY_THRESHOLD
    moved = np.where(there[:, None], parts["body"][:, lead, :2] - place, 0)  # (F, 2)
    low = np.nanmax(photo.joints[0, :HEAD, 1])

    def follow(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """The photo's points (n, 3) in all frames that show the leading joint: (F, n, 3)."""
        share = np.clip((low - points[:, 1]) / max(low - place[1], 1), 0, 1)
        out = np.repeat(points[None].astype(np.float64), len(moved), axis=0)
        out[..., :2] += share[:, None] * moved[:, None]
        out[~(there[:, None] & seen)] = 0
        return out

    for _, joints, hands in held:
        parts["body"][:, joints] = follow(person.body[joints], person.body[joints, 2] >= BODY_THRESHOLD)
        for name in hands:
            hand = getattr(person, name)
            if (parts[name][..., 2] > 0).any(axis=1).mean() <= _SELDOM:
                parts[name] = follow(hand, hand[:, 2] >= max(DETAIL_THRESHOLD, 1e-9))
    words = [word for word, _, _ in held]
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return parts, f"The poses do not show the {listed}: the photo's own are held."
