"""How well one person's motion is fitted to another's body, where the truth is known.

A figure's motion is fitted to the photo of a figure of other proportions, who stands there in another pose. The truth is
that figure's own track of the same motion. Errors are mean distances in percent of that person's height.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from magicpose_cli.conditions.retarget import fit_track, fit_whole
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.figures.chance import chance_of
from magicpose_cli.figures.figure_pose import FIELD_NAMES, FigurePose
from magicpose_cli.figures.identity import Identity
from magicpose_cli.figures.motion import MOTION_KINDS, make_motion, random_pose
from magicpose_cli.figures.render import track_of
from magicpose_cli.figures.shapes import person_of_shape

SETTINGS = {
    "full body": (False, False),
    "upper body": (True, True),
    "full-body driver, upper-body photo": (False, True),
}
"""Whether driver and photo are seen down to the hips alone."""
WAYS = ("none", "one scale", "auto")
PARTS = ("body", "hands", "face")

_SIZE, _FRAMES, _FPS = 512, 36, 12
_FIRST_SEED = 330_000
_CALM = 0.3  # of a strong expression: what is left in photos, and in the middle of a motion
_CALMED = ("brow_raise", "brow_frown", "mouth_smile", "mouth_width")
_LEGS = re.compile("hip$|knee|thigh|shin")


@dataclass(frozen=True)
class FitCase:
    """A driver's track, the photo's person as a track of one frame, and the truth; all in squares of ``_SIZE``."""

    driver: PoseTrack
    photo: PoseTrack
    truth: PoseTrack
    height: float  # in pixels, of the standing person in the photo


@dataclass(frozen=True)
class _Person:
    body: np.ndarray
    left_hand: np.ndarray
    right_hand: np.ndarray
    face: np.ndarray


def fit_case(number: int, setting: str, noise: float = 0.0) -> FitCase:
    """The pair of this number, always the same.

    ``noise`` is the standard deviation of the points' places that driver and photo show, in percent of the heights
    of the people: a body's; hands' and faces' are a third of it.
    """
    close_driver, close_photo = SETTINGS[setting]
    seed = _FIRST_SEED + 2 * number
    driver, person = person_of_shape(seed, close_up=close_driver), person_of_shape(seed + 1, close_up=close_photo)
    if close_photo and not close_driver:
        person = replace(person, view=replace(person.view, bob=1.0))
    motion = _calmed(make_motion(seed, _FRAMES, _FPS, MOTION_KINDS[number % len(MOTION_KINDS)]))
    ratio = person.proportions.height / driver.proportions.height
    middle = float(np.median([pose.root_x for pose in motion]))
    moved = [
        replace(pose, root_x=middle + ratio * (pose.root_x - middle), jump=ratio * pose.jump) for pose in motion
    ]
    chance = chance_of(seed, 606)
    return FitCase(
        _jittered(track_of(driver, motion, _SIZE, _FPS), noise * _height(driver, motion) / 100, chance),
        _jittered(track_of(person, [_photo_pose(seed, moved, middle, close_photo)], _SIZE, _FPS), noise * _height(person, motion) / 100, chance),
        track_of(person, moved, _SIZE, _FPS),
        _height(person, motion),
    )


def evaluate_fit(pairs: int = 20, noise: float = 0.0) -> dict[str, Any]:
    """Mean errors by setting, way and part, in percent of the person's height, and how many times lower ``auto`` is."""
    result: dict[str, Any] = {"pairs": pairs, "noise": noise}
    for setting in SETTINGS:
        cases = [fit_case(number, setting, noise) for number in range(pairs)]
        errors = {way: _means([_errors(case, _fitted(case, way)) for case in cases]) for way in WAYS}
        result[setting] = errors | {
            f"{way} / auto": {part: round(errors[way][part] / errors["auto"][part], 1) for part in PARTS}
            for way in WAYS[:2]
        }
    return result


def _photo_pose(seed: int, motion: Sequence[FigurePose], middle: float, standing: bool) -> FigurePose:
    """Another pose than any of the motion's, upright, where the motion is in the middle."""
    pose = random_pose(seed + 1, facing=True)
    legs = {name: getattr(FigurePose(), name) for name in FIELD_NAMES if standing and _LEGS.search(name)}
    calm = {name: _CALM * getattr(pose, name) for name in (*_CALMED, "lean")}
    return replace(pose, **legs, **calm, eye_open=1.0, root_x=middle, jump=0.0, scale=motion[0].scale)


def _calmed(motion: Sequence[FigurePose]) -> list[FigurePose]:
    """The motion with expressions about a calm face: a figure's are about one that it pulls all the time."""
    middles = {name: float(np.median([getattr(pose, name) for pose in motion])) for name in _CALMED}
    return [
        replace(pose, **{name: getattr(pose, name) - (1 - _CALM) * middle for name, middle in middles.items()})
        for pose in motion
    ]


def _height(person: Identity, motion: Sequence[FigurePose]) -> float:
    return person.proportions.height * person.view.zoom * motion[0].scale * _SIZE


def _jittered(track: PoseTrack, spread: float, chance: np.random.Generator) -> PoseTrack:
    def moved(points: np.ndarray, share: float) -> np.ndarray:
        noise = chance.normal(0, share * spread, (*points.shape[:2], 2)) * (points[..., 2:] > 0)
        return points + np.concatenate([noise, np.zeros_like(points[..., 2:])], axis=2)

    shares = {"body": 1.0, "left_hand": 1 / 3, "right_hand": 1 / 3, "face": 1 / 3}
    return replace(track, **{name: moved(getattr(track, name), share) for name, share in shares.items()})


def _fitted(case: FitCase, way: str) -> PoseTrack:
    photo = _Person(**{name: getattr(case.photo, name)[0] for name in _Person.__annotations__})
    size = {"width": _SIZE, "height": _SIZE}
    if way == "one scale":
        return fit_whole(case.driver, photo, **size).track
    return fit_track(case.driver, photo, way, **size).track


def _errors(case: FitCase, fitted: PoseTrack) -> dict[str, float]:
    """Over the points that driver, truth and fitted track all have."""
    parts = {"body": ("body",), "hands": ("left_hand", "right_hand"), "face": ("face",)}
    found = {}
    for part, names in parts.items():
        there, truth, given = (
            np.concatenate([getattr(track, name) for name in names], axis=1)
            for track in (fitted, case.truth, case.driver)
        )
        both = (there[..., 2] > 0) & (truth[..., 2] > 0) & (given[..., 2] > 0)
        distances = np.linalg.norm(there[..., :2] - truth[..., :2], axis=2)[both]
        found[part] = 100 * float(distances.mean()) / case.height if len(distances) else float("nan")
    return found


def _means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {part: round(float(np.nanmean([row[part] for row in rows])), 3) for part in PARTS}
