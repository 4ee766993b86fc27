"""How well one person's motion is fitted to another's body, where the truth is known.

The motion of one figure is fitted to the photo of a figure of other proportions, who stands there in another pose and
before another camera. The truth is that figure's own track of the same motion, its root moving as much less or more as
it is smaller or taller. An error is the mean distance of points in percent of that figure's height, standing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from magicpose_cli.conditions.retarget import fit_track, fit_whole
from magicpose_cli.core.pose_track import PoseTrack
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.figures.chance import chance_of
from magicpose_cli.figures.figure_pose import FIELD_NAMES, FigurePose
from magicpose_cli.figures.motion import MOTION_KINDS, make_motion, random_pose
from magicpose_cli.figures.render import Keypoints, keypoints_of, track_of
from magicpose_cli.figures.shapes import person_of_shape

SETTINGS = {
    "full body": (False, False),
    "upper body": (True, True),
    "full-body driver, upper-body photo": (False, True),
}
"""Whether the driver and the photo are seen down to the hips only."""
WAYS = ("none", "one scale", "auto")
"""Not fitted; with one scale and one shift, as drawn pose maps are; limb by limb."""
PARTS = {"body": ("body",), "hands": ("left_hand", "right_hand"), "face": ("face",)}

_SIZE, _FRAMES, _FPS = 512, 36, 12
_FIRST_SEED = 330_000  # below those of training
_CALM = 0.3  # of a strong expression, or lean: what is left of it in photos, and in the middle of a motion
_CALMED = ("brow_raise", "brow_frown", "mouth_smile", "mouth_width")
_LEGS = re.compile("hip$|knee$|thigh|shin")


@dataclass(frozen=True)
class FitCase:
    """A driver's track, the keypoints of the photo's person, and the truth; all in squares of 512 pixels."""

    driver: PoseTrack
    photo: Keypoints
    truth: PoseTrack
    height: float  # in pixels, of the standing person in the photo


def fit_case(number: int, setting: str, noise: float = 0.0) -> FitCase:
    """The pair of this number in one of ``SETTINGS``, always the same.

    ``noise`` is the standard deviation of body points in what the fit is given, driver and photo, in percent of each
    one's height; that of hands and faces is a third of it.
    """
    close_driver, close_photo = SETTINGS[setting]
    seed = _FIRST_SEED + 2 * number
    driver, person = person_of_shape(seed, close_up=close_driver), person_of_shape(seed + 1, close_up=close_photo)
    if close_photo and not close_driver:  # who crouches before a still camera sinks in its picture
        person = replace(person, view=replace(person.view, bob=1.0))
    motion = _calmed(make_motion(seed, _FRAMES, _FPS, MOTION_KINDS[number % len(MOTION_KINDS)]))
    ratio = person.proportions.height / driver.proportions.height
    middle = float(np.median([pose.root_x for pose in motion]))
    theirs = [replace(p, root_x=middle + ratio * (p.root_x - middle), jump=ratio * p.jump) for p in motion]
    standing = replace(_photo_pose(seed, close_photo), root_x=middle, scale=motion[0].scale)
    heights = [_SIZE * one.proportions.height * one.view.zoom * motion[0].scale for one in (driver, person)]
    given, photo = track_of(driver, motion, _SIZE, _FPS), keypoints_of(person, standing, _SIZE)
    if noise:
        chance = chance_of(seed, 606)
        given = replace(given, **_jittered(given, noise / 100 * heights[0], chance))
        photo = replace(photo, **_jittered(photo, noise / 100 * heights[1], chance))
    return FitCase(given, photo, track_of(person, theirs, _SIZE, _FPS), heights[1])


def evaluate_fit(pairs: int, noise: float = 0.0, progress: Progress = SILENT) -> dict[str, Any]:
    """Mean errors of ``pairs`` pairs by setting, way and part, and how many times that of ``auto`` the others are."""
    result: dict[str, Any] = {"pairs": pairs, "noise": noise, "unit": "percent of the person's height"}
    with progress.stage("fitting", pairs * len(SETTINGS), "pair") as advance:
        for setting in SETTINGS:
            rows: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
            for number in range(pairs):
                case = fit_case(number, setting, noise)
                for way in WAYS:
                    rows[way].append(fit_errors(case, fitted_by(way, case)))
                advance()
            errors = {way: {p: float(np.nanmean([row[p] for row in rows[way]])) for p in PARTS} for way in WAYS}
            times = {f"{way} / auto": {p: errors[way][p] / errors["auto"][p] for p in PARTS} for way in WAYS[:2]}
            result[setting] = {
                name: {part: round(value, 2) for part, value in values.items()}
                for name, values in (errors | times).items()
            }
    return result


def fitted_by(way: str, case: FitCase) -> PoseTrack:
    """The driver's track fitted in one of ``WAYS``."""
    fit, mode = (fit_whole, "auto") if way == "one scale" else (fit_track, way)
    return fit(case.driver, case.photo, mode, width=_SIZE, height=_SIZE).track


def fit_errors(case: FitCase, fitted: PoseTrack) -> dict[str, float]:
    """By part, over the points that the truth, the driver and the fitted track all have; NaN where there are none."""
    errors = {}
    for part, names in PARTS.items():
        fit, truth, given = (
            np.concatenate([getattr(track, name) for name in names], axis=1)
            for track in (fitted, case.truth, case.driver)
        )
        in_all = (fit[..., 2] > 0) & (truth[..., 2] > 0) & (given[..., 2] > 0)
        distances = np.linalg.norm(fit[..., :2] - truth[..., :2], axis=2)[in_all]
        errors[part] = 100 * float(distances.mean()) / case.height if len(distances) else float("nan")
    return errors


def _photo_pose(seed: int, close_up: bool) -> FigurePose:
    """Upright, any arms and expression; a close-up cannot tell how low its person crouches, so there people stand."""
    pose = random_pose(seed + 1, facing=True)
    calm = {name: _CALM * getattr(pose, name) for name in (*_CALMED, "lean")}
    legs = {name: getattr(FigurePose(), name) for name in FIELD_NAMES if close_up and _LEGS.search(name)}
    return replace(pose, **calm, **legs, eye_open=1.0, jump=0.0)


def _calmed(motion: Sequence[FigurePose]) -> list[FigurePose]:
    """The same with expressions about a calm face: a figure's are about one that is pulled all the time."""
    middles = {name: (1 - _CALM) * float(np.median([getattr(pose, name) for pose in motion])) for name in _CALMED}
    return [replace(pose, **{name: getattr(pose, name) - middles[name] for name in _CALMED}) for pose in motion]


def _jittered(points: PoseTrack | Keypoints, spread: float, chance: np.random.Generator) -> dict[str, np.ndarray]:
    jittered = {}
    for names in PARTS.values():
        for name in names:
            there = getattr(points, name).copy()
            noise = chance.normal(0, spread if name == "body" else spread / 3, there[..., :2].shape)
            there[..., :2] += noise * (there[..., 2:] > 0)
            jittered[name] = there
    return jittered
