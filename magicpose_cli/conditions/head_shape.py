"""A head's shape and how it is turned, from the points of a face: over a clip, or in one photo.

A point of a head is x, y, z in half widths of the face, from the middle between the ears: x to the picture's right, y
down, z where the person looks. A picture shows it by scaled orthography: ``pixel = middle + axes @ point``.
"""

from dataclasses import dataclass

import numpy as np

from magicpose_cli.core import keypoints as kp

BODY_POINTS = (kp.NOSE, kp.RIGHT_EYE, kp.LEFT_EYE, kp.RIGHT_EAR, kp.LEFT_EAR)
"""Of the body's, these are the head's: they follow the 70 of the face."""
COUNT = kp.FACE_COUNT + len(BODY_POINTS)

_STEPS = 6
_MOST_FRAMES = 500  # that a shape is learnt from
_LEVEL = 0.03  # how strongly a head is held level, since eyes low in a face look like a nod
_LEAST_SPREAD, _LEAST_SIZE = 1e-3, 1e-6  # against division by zero
_FEWEST = 8  # rigid points that a pose takes
_SPREAD = 0.03  # of a point about its place, by expression and noise; further off, a frame counts less
# How strongly the mean face holds a shape: as so many frames would, and by this share of all frames. Depth shows only
# where the head turns.
_HOLD = np.array([0.01, 0.01, 0.05])
_HOLD_SHARE = np.array([0.0, 0.0, 0.01])


def _mirrored() -> np.ndarray:
    pairs = [(i, 16 - i) for i in range(8)] + [(i, 43 - i) for i in range(17, 22)] + [(31, 35), (32, 34)]
    pairs += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    pairs += [
        (48, 54),
        (49, 53),
        (50, 52),
        (55, 59),
        (56, 58),
        (60, 64),
        (61, 63),
        (65, 67),
        (68, 69),
        (71, 72),
        (73, 74),
    ]
    other = np.arange(COUNT)
    for a, b in pairs:
        other[a], other[b] = b, a
    return other


MIRROR = _mirrored()
"""The point at the same place of the head's other side."""


def _mean_face() -> np.ndarray:
    """A middling adult's face, (75, 3): half a width is about 7 cm."""
    shape = np.zeros((COUNT, 3))
    around = np.linspace(0, np.pi, 17)
    shape[:17] = np.stack([-np.sign(np.cos(around)) * np.abs(np.cos(around)) ** 0.8,
                           1.55 * np.sin(around) ** 1.1, 1.15 * np.sin(around) ** 1.3], 1)  # fmt: skip
    right = {
        17: (-0.78, -0.25, 0.75), 18: (-0.66, -0.36, 0.95), 19: (-0.5, -0.4, 1.07), 20: (-0.34, -0.37, 1.15),
        21: (-0.18, -0.32, 1.2), 31: (-0.23, 0.74, 1.25), 32: (-0.12, 0.77, 1.33),
        36: (-0.65, 0.0, 0.85), 37: (-0.52, -0.07, 0.95), 38: (-0.36, -0.07, 1.0), 39: (-0.24, 0.02, 0.98),
        40: (-0.36, 0.06, 0.98), 41: (-0.52, 0.06, 0.93),
        48: (-0.37, 1.05, 1.12), 49: (-0.22, 0.99, 1.25), 50: (-0.08, 0.96, 1.33), 58: (-0.1, 1.16, 1.3),
        59: (-0.22, 1.13, 1.24), 60: (-0.31, 1.05, 1.15), 61: (-0.1, 1.04, 1.3), 67: (-0.1, 1.05, 1.3),
        68: (-0.44, 0.0, 0.97), 71: (-0.44, 0.0, 0.97), 73: (-1.03, 0.1, -0.1),
    }  # fmt: skip
    middle = {
        27: (0.02, 1.12), 28: (0.22, 1.28), 29: (0.42, 1.43), 30: (0.62, 1.58), 33: (0.78, 1.38),
        51: (0.98, 1.34), 57: (1.17, 1.32), 62: (1.04, 1.32), 66: (1.05, 1.32), 70: (0.62, 1.58),
    }  # fmt: skip
    for index, place in right.items():
        shape[index] = place
        shape[MIRROR[index]] = (-place[0], *place[1:])
    for index, (y, z) in middle.items():
        shape[index] = (0, y, z)
    return shape


MEAN_FACE = _mean_face()
# What no expression moves: the jaw's ends, the nose, the eyes' corners.
_RIGID = np.array([0, 1, 2, 14, 15, 16, *kp.FACE_NOSE, 36, 39, 42, 45])
_RIGID_WEIGHTS = np.where(np.isin(_RIGID, kp.FACE_NOSE), 0.3, 1.0)  # a long nose is no nod
_JAW_ENDS = [0, 16]
_FLIP = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Heads:
    """One head over F frames. ``axes`` and ``middle`` are NaN where no face was seen well enough.

    ``shape`` is that of the face as it mostly is, right and left alike.
    """

    shape: np.ndarray  # (75, 3) in half widths
    axes: np.ndarray  # (F, 2, 3) pixels a half width
    middle: np.ndarray  # (F, 2) pixels
    size: np.ndarray  # (F,) pixels a half width


def read_heads(points: np.ndarray) -> Heads | None:
    """Shape and poses from points (F, 75, 2) in pixels, NaN where not seen; None where no frame shows a face.

    Poses and the shape are found in turn: the shape as robust means over the frames, mirrored, and near the mean face
    where the frames say nothing. One photo from the front says nothing of depth; a turned one does, by symmetry.
    """
    seen = np.isfinite(points).all(axis=2)  # (F, 75)
    found = np.flatnonzero(seen[:, _RIGID].sum(axis=1) >= _FEWEST)
    if not len(found):
        return None
    learnt = found[np.unique(np.linspace(0, len(found) - 1, _MOST_FRAMES).astype(int))]
    given, weights = np.nan_to_num(points[learnt]), seen[learnt].astype(np.float64)
    shape, trust = MEAN_FACE, weights
    for _ in range(_STEPS):
        axes, middle, size = _poses(given, weights, shape)
        across = axes / size[:, None, None]  # (F, 2, 3), rows of length 1
        places = (given - middle[:, None]) / size[:, None, None]  # (F, 75, 2)
        shape = _shape(places, across, trust)
        if len(given) > 1:
            off = np.linalg.norm(places - shape @ across.transpose(0, 2, 1), axis=2)
            trust = weights / np.maximum(1, off / _SPREAD)
    shape = shape - (0, shape[_JAW_ENDS, 1].mean(), 0)  # faces differ in how low the eyes lie: the ears hold the origin
    poses = _poses(np.nan_to_num(points[found]), seen[found].astype(np.float64), shape)
    axes, middle, size = (np.full((len(points), *part.shape[1:]), np.nan) for part in poses)
    axes[found], middle[found], size[found] = poses
    return Heads(shape, axes, middle, size)


def _poses(points: np.ndarray, weights: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scaled orthography by least squares over the rigid points: axes (F, 2, 3), middle (F, 2), size (F,)."""
    points, weights, shape = points[:, _RIGID], weights[:, _RIGID] * _RIGID_WEIGHTS, shape[_RIGID]
    total = weights.sum(axis=1)[:, None]
    from_point = np.einsum("fp,fpi->fi", weights, points) / total
    from_shape = weights @ shape / total
    away, local = points - from_point[:, None], shape - from_shape[:, None]
    weighted = (weights[..., None] * local).transpose(0, 2, 1)  # (F, 3, R)
    spread = weighted @ local + _LEAST_SPREAD * np.eye(3)
    held = spread.copy()
    held[:, 2, 2] += _LEVEL * total[:, 0]
    along, down = (np.linalg.solve(by, weighted @ away)[..., axis] for by, axis in ((spread, 0), (held, 1)))
    affine = np.stack([along, down], axis=1)
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    size = np.maximum(sizes.mean(axis=1), _LEAST_SIZE)
    axes = size[:, None, None] * (left @ right)
    return axes, from_point - (axes @ from_shape[..., None])[..., 0], size


def _shape(places: np.ndarray, across: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """The mirrored shape (75, 3) that is seen at ``places`` (F, 75, 2), near the mean face: least squares."""
    frames = len(places)
    turned = across.transpose(0, 2, 1)  # (F, 3, 2)
    square = (trust.T @ (turned @ across).reshape(frames, 9)).reshape(COUNT, 3, 3)
    seen = np.einsum("fp,fpi->pi", trust, places @ across)
    square += _FLIP[:, None] * square[MIRROR] * _FLIP
    seen += _FLIP * seen[MIRROR]
    hold = np.diag(_HOLD + _HOLD_SHARE * frames)
    return np.linalg.solve(square + hold, (seen + MEAN_FACE @ hold)[..., None])[..., 0]
