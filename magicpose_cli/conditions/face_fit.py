"""The driver's expression and turns on the face of the photo's person.

What his face does is how far it is from how it mostly is. That is added to the face in the photo, taken as calm but for
an open mouth, and turned as he turns. Openings of mouth and lids and the place of pupils go over as they are.
"""

import math

import numpy as np

from magicpose_cli.conditions.head_shape import COUNT, Heads

_EYES = ((36, 39, (37, 38), (41, 40), 68), (42, 45, (43, 44), (47, 46), 69))  # corners, upper lid, lower, pupil
_EYE_POINTS = ([*range(36, 42), 68, 71], [*range(42, 48), 69, 72])
_MOUTH = list(range(48, 68))
_UPPER, _LOWER = [61, 62, 63], [67, 66, 65]
_RATIO = 0.5, 2.0  # what one face's part may be of another's
_SHUT = 0.5  # of the driver's lids, in proportion: a photo with eyes less open than this shows them shut

# What an opening mouth moves, down, as shares of the opening: the lower lip, the chin with it, the corners.
_OPENS = np.zeros(COUNT)
_OPENS[[*range(55, 60), 65, 66, 67]] = 0.85
_OPENS[[49, 50, 51, 52, 53, 61, 62, 63]] = -0.15
_OPENS[[48, 54, 60, 64]] = 0.3
_OPENS[4:13] = 0.6 * np.sin(np.linspace(0, np.pi, 11))[1:-1]
_OPEN = 0.1  # half widths of the face: a mouth that is open
_ITS_SHAPE = "its shape will show; a photo from the front keeps the person's own"
_TURNED = 25  # degrees: a head that is turned
_OPENS_HOLD = 0.02  # the square of openings, summed over the clip, that outweighs this guess


def fit_face(driver: Heads, points: np.ndarray, photo: Heads, middle: np.ndarray, scale: float) -> np.ndarray:
    """The head's points (F, 75, 2) in the photo's pixels, NaN where ``points`` (the driver's, in his) are.

    ``middle`` (F, 2) is where the photo's head is to be; ``scale`` the photo's pixels a driver's pixel, of heads.
    Frames in which no face was seen well are enlarged about their middle; that is given in ``driver.middle``.
    """
    across = driver.axes / driver.size[:, None, None]  # (F, 2, 3)
    places = (points - driver.middle[:, None]) / driver.size[:, None, None]
    off = places - np.einsum("fij,pj->fpi", across, driver.shape)
    lifted = np.einsum("fij,fpi->fpj", across, off)  # (F, 75, 3), within the picture's plane

    opens = _opening_mode(driver.shape, lifted)
    theirs = driver.shape - opens * _opening(driver.shape)
    ours = photo.shape - opens * _opening(photo.shape)
    ours, ratios = _matched(theirs, ours)
    moved = ours + ratios * (lifted + opens * _opening(driver.shape))
    return middle[:, None] + scale * np.einsum("fij,fpj->fpi", driver.axes, moved)


def describe_face(driver: Heads | None, photo: Heads | None) -> tuple[str, ...]:
    """Sentences on what is assumed of the photo's face."""
    if driver is None:
        return ()
    if photo is None:
        return (f"The photo shows no face: the driver's own is drawn, so {_ITS_SHAPE}.",)
    notes = []
    aside = abs(math.degrees(math.asin(min(1.0, abs(photo.axes[0, 0, 2]) / photo.size[0]))))
    if aside > _TURNED:
        notes.append(
            f"The head in the photo is turned by {aside:.0f} degrees: its far side is taken as like its near one."
        )
    if _opening(photo.shape) > _OPEN:
        notes.append(
            "In the photo the mouth is open. In the video it opens and closes as the driver's does, so closed lips are "
            "a guess; a photo with the mouth closed shows them better."
        )
    return tuple(notes)


def _opening(shape: np.ndarray) -> np.ndarray:
    """Between the inner lips, in half widths of the face."""
    return shape[..., _LOWER, 1].mean(axis=-1) - shape[..., _UPPER, 1].mean(axis=-1)


def _opening_mode(shape: np.ndarray, lifted: np.ndarray) -> np.ndarray:
    """How each point moves (75, 3) as the driver's mouth opens by one half width, learnt where the clip shows it."""
    guess = np.zeros((COUNT, 3))
    guess[:, 1] = _OPENS
    known = lifted[np.isfinite(lifted).all(axis=(1, 2))]
    if not len(known):
        return guess
    opening = _opening(shape + known) - _opening(shape)
    opening, known = opening - opening.mean(), known - known.mean(axis=0)
    learnt = np.einsum("f,fpi->pi", opening, known) + _OPENS_HOLD * guess
    return learnt / ((opening**2).sum() + _OPENS_HOLD)


def _matched(theirs: np.ndarray, ours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The photo's calm face with pupils and shut lids as the driver's, and how much larger its parts are (75, 3)."""
    ours, ratios = ours.copy(), np.ones((COUNT, 3))
    for (inner, outer, upper, lower, pupil), points in zip(_EYES, _EYE_POINTS, strict=True):
        wide = [abs(shape[outer, 0] - shape[inner, 0]) for shape in (theirs, ours)]
        high = [shape[list(lower), 1].mean() - shape[list(upper), 1].mean() for shape in (theirs, ours)]
        if high[1] * wide[0] < _SHUT * high[0] * wide[1]:
            factor, middle = wide[1] / max(wide[0], 1e-6), (ours[inner] + ours[outer]) / 2
            lids = [*upper, *lower]
            ours[lids] = middle + factor * (theirs[lids] - (theirs[inner] + theirs[outer]) / 2)
            high[1] = factor * high[0]
        ratio = np.array([_bounded(wide[1], wide[0]), _bounded(high[1], high[0]), 1.0])
        ratios[points] = ratio
        # Where the eye looks is the driver's alone.
        ours[pupil] = _middle(ours, inner, outer) + ratio * (theirs[pupil] - _middle(theirs, inner, outer))
    ratios[_MOUTH, :2] = _bounded(abs(ours[54, 0] - ours[48, 0]), abs(theirs[54, 0] - theirs[48, 0]))
    return ours, ratios


def _middle(shape: np.ndarray, a: int, b: int) -> np.ndarray:
    return (shape[a] + shape[b]) / 2


def _bounded(ours: float, theirs: float) -> float:
    return float(np.clip(ours / max(theirs, 1e-6), *_RATIO))
