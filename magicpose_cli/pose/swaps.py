"""Left and right, where a detector mixed them up for some frames: the whole body, or an arm, a leg, the head alone.

Which of the two readings of each frame makes the smoothest motion is found for all frames at once (Viterbi's
algorithm). A reading against the detector's costs a little in each frame, so that in doubt its own stays, and what it
says most of the time wins. A person who really turns round is left as he is: his sides cross without a jump.
"""

import numpy as np

from magicpose_cli.core import keypoints as kp
from magicpose_cli.pose.detector import PART_SLICES

_SHOULDERS, _ELBOWS, _WRISTS, _HIPS, _KNEES, _ANKLES, _EYES, _EARS = kp.SIDES
# What goes wrong together, the most first; with the joints to which a bone leads from the first of them.
_GROUPS: tuple[tuple[tuple[tuple[int, int], ...], tuple[int, int] | None], ...] = (
    (kp.SIDES, None),
    ((_SHOULDERS, _ELBOWS, _WRISTS), None),
    ((_HIPS, _KNEES, _ANKLES), None),
    ((_SHOULDERS,), _ELBOWS),
    ((_HIPS,), _KNEES),
    ((_ELBOWS, _WRISTS), _SHOULDERS),
    ((_KNEES, _ANKLES), _HIPS),
    ((_EYES, _EARS), None),
)

# Costs are distances as shares of the person's size, summed over a group's points.
_JUMP_LIMIT = 0.25  # no point's jump costs more: it may be a wrong point, not a swap
_AGAINST = 0.15  # a point, for a second's worth of frames read against the detector
_CHANGE = 0.02  # a point, for each change between readings: noise alone shall make none
_APPEARS = 0.1  # a point that is not there in one of two frames: where one side is hidden, sides are not free to change
_STRETCH = 3.0  # a second, times by how much longer the bones at the group's first joints are that way
_CARRIED = 0.2  # seconds for which a point that is not seen counts as staying where it was


def mend_swaps(points: np.ndarray, size: float, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """(F, 130, 3) points with left and right as they should be, and which frames (F,) were changed.

    ``size`` is the person's in pixels. Hands go with the wrist that they lie at.
    """
    body = points[:, : kp.BODY_COUNT].copy()
    for pairs, roots in _GROUPS:
        against = _readings(body, pairs, roots, size, fps)
        for right, left in pairs:
            body[np.ix_(against, (right, left))] = body[np.ix_(against, (left, right))]
    mended = points.copy()
    mended[:, : kp.BODY_COUNT] = body
    return _hands_at_wrists(mended), (body != points[:, : kp.BODY_COUNT]).any(axis=(1, 2))


def _readings(
    body: np.ndarray, pairs: tuple[tuple[int, int], ...], roots: tuple[int, int] | None, size: float, fps: float
) -> np.ndarray:
    """(F,) True where ``pairs`` are better read the other way round."""
    right, left = (list(side) for side in zip(*pairs, strict=True))
    points = _carried(body[:, [*right, *left]].astype(np.float64), round(_CARRIED * fps))
    read = np.stack([points, points[:, [*range(len(right), 2 * len(right)), *range(len(right))]]])
    place, known = read[..., :2], read[..., 2] >= kp.BODY_THRESHOLD  # (readings, F, points, …)
    against = np.zeros((len(body), 2))
    against[:, 1] = _AGAINST * known.shape[2]
    if roots is not None:
        bone = np.linalg.norm(place[:, :, [0, len(right)]] - body[None, :, list(roots), :2], axis=3).sum(axis=2) / size
        hung = known[0][:, [0, len(right)]].all(axis=1) & (body[:, list(roots), 2] >= kp.BODY_THRESHOLD).all(axis=1)
        against += _STRETCH * np.where(hung, bone, 0).T
    against /= fps
    # The change from each reading of one frame to each of the next: (before, now, F - 1).
    before, now = known[:, None, :-1], known[None, :, 1:]
    jumps = np.minimum(np.linalg.norm(place[None, :, 1:] - place[:, None, :-1], axis=4) / size, _JUMP_LIMIT)
    steps = np.where(before & now, jumps, np.where(before != now, _APPEARS, 0)).sum(axis=3)
    steps += _CHANGE * known.shape[2] * (1 - np.eye(2))[:, :, None]
    total, came_from = against[0], np.zeros((len(body), 2), int)
    for n in range(1, len(body)):
        sums = total[:, None] + steps[:, :, n - 1] + against[n]
        came_from[n] = sums.argmin(axis=0)
        total = sums.min(axis=0)
    states = [int(total.argmin())]
    for n in range(len(body) - 1, 0, -1):
        states.append(int(came_from[n, states[-1]]))
    return np.array(states[::-1], bool) & known[0].any(axis=1)


def _carried(points: np.ndarray, longest: int) -> np.ndarray:
    """Points that are not trusted where they were trusted last, for up to ``longest`` frames."""
    out = points.copy()
    age = np.zeros(points.shape[1], int)
    for n in range(1, len(points)):
        missing = points[n, :, 2] < kp.BODY_THRESHOLD
        age = np.where(missing, age + 1, 0)
        carry = missing & (age <= longest)
        out[n, carry] = out[n - 1, carry]
    return out


def _hands_at_wrists(points: np.ndarray) -> np.ndarray:
    """Change left and right hand where both together lie nearer to the wrists that way."""
    points = points.copy()
    left, right = PART_SLICES["left_hand"], PART_SLICES["right_hand"]
    roots = points[:, [left.start, right.start]]
    wrists = points[:, [kp.LEFT_WRIST, kp.RIGHT_WRIST]]

    def apart(hand: int, wrist: int) -> np.ndarray:
        distance = np.linalg.norm(roots[:, hand, :2] - wrists[:, wrist, :2], axis=1)
        return np.where(roots[:, hand, 2] > 0, distance, 0.0)

    # With one wrist unknown, nothing says that the hand is not at that one.
    crossed = (wrists[..., 2] >= kp.BODY_THRESHOLD).all(axis=1) & (
        apart(0, 1) + apart(1, 0) < apart(0, 0) + apart(1, 1)
    )
    points[crossed, left], points[crossed, right] = points[crossed, right], points[crossed, left].copy()
    return points
