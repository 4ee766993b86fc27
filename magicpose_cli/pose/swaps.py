"""Left and right, where a detector mixed them up for some frames: the whole body, or an arm, a leg, the head alone.

Which of the two readings of each frame makes the smoothest motion is found for all frames at once (Viterbi's
algorithm). A reading against the detector's costs a little in each frame, so that in doubt its own stays, and what it
says most of the time wins. A person who really turns round is left as he is: his sides cross without a jump.
"""

import numpy as np

from magicpose_cli.core import keypoints as kp

TRUSTED = 0.3  # confidence of a body point that has a say

_SIDES = (
    (kp.RIGHT_SHOULDER, kp.LEFT_SHOULDER), (kp.RIGHT_ELBOW, kp.LEFT_ELBOW), (kp.RIGHT_WRIST, kp.LEFT_WRIST),
    (kp.RIGHT_HIP, kp.LEFT_HIP), (kp.RIGHT_KNEE, kp.LEFT_KNEE), (kp.RIGHT_ANKLE, kp.LEFT_ANKLE),
    (kp.RIGHT_EYE, kp.LEFT_EYE), (kp.RIGHT_EAR, kp.LEFT_EAR),
)  # fmt: skip
_GROUPS = (
    _SIDES,  # the whole body first, then what goes wrong alone
    ((kp.RIGHT_ELBOW, kp.LEFT_ELBOW), (kp.RIGHT_WRIST, kp.LEFT_WRIST)),
    ((kp.RIGHT_KNEE, kp.LEFT_KNEE), (kp.RIGHT_ANKLE, kp.LEFT_ANKLE)),
    ((kp.RIGHT_EYE, kp.LEFT_EYE), (kp.RIGHT_EAR, kp.LEFT_EAR)),
)

# Costs are distances as shares of the person's size, summed over a group's points.
_JUMP_LIMIT = 0.25  # no point's jump costs more: it may be a wrong point, not a swap
_AGAINST = 0.4  # a point, for a second's worth of frames read against the detector
_CHANGE = 0.05  # a point, for each change between readings: noise alone shall make none


def mend_swaps(points: np.ndarray, size: float, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """(F, 130, 3) points with left and right as they should be, and which frames (F,) were changed.

    ``size`` is the person's in pixels. Hands go with the wrist that they lie at.
    """
    body, swapped = points[:, : kp.BODY_COUNT].copy(), np.zeros(len(points), bool)
    for pairs in _GROUPS:
        against = _readings(body, pairs, size, fps)
        for right, left in pairs:
            body[np.ix_(against, (right, left))] = body[np.ix_(against, (left, right))]
        swapped |= against
    mended = points.copy()
    mended[:, : kp.BODY_COUNT] = body
    return _hands_at_wrists(mended), swapped


def _readings(body: np.ndarray, pairs: tuple[tuple[int, int], ...], size: float, fps: float) -> np.ndarray:
    """(F,) True where ``pairs`` are better read the other way round."""
    right, left = (list(side) for side in zip(*pairs, strict=True))
    read = np.stack([body[:, [*right, *left]], body[:, [*left, *right]]])  # (readings, F, points, 3)
    seen = np.flatnonzero((body[:, [*right, *left], 2] >= TRUSTED).sum(axis=1) >= 2)
    against = np.zeros(len(body), bool)
    if len(seen) < 2:
        return against
    read = read[:, seen].astype(np.float64)
    trusted = read[..., 2] >= TRUSTED
    # Where each point is expected: on from the two frames before, as far as they were seen.
    count = len(right) + len(left)
    total, ways = np.array([0.0, _AGAINST / fps * count]), np.zeros((len(seen), 2), int)
    for n in range(1, len(seen)):
        frames_apart = seen[n] - seen[n - 1]
        step = np.empty((2, 2))
        for before in range(2):
            earlier = ways[n - 1, before] if n > 1 else before
            last = read[before, n - 1, :, :2]
            known = trusted[before, n - 1]
            moved = np.zeros_like(last)
            if n > 1:
                two = known & trusted[earlier, n - 2]
                gap = max(seen[n - 1] - seen[n - 2], 1)
                moved[two] = (last - read[earlier, n - 2, :, :2])[two] / gap * min(frames_apart, 2)
            for now in range(2):
                both = known & trusted[now, n]
                jump = np.linalg.norm(read[now, n, :, :2] - last - 0.5 * moved, axis=1)[both] / size
                step[before, now] = np.minimum(jump, _JUMP_LIMIT).sum() + (before != now) * _CHANGE * count
        sums = total[:, None] + step + np.array([0.0, _AGAINST / fps * count])
        ways[n] = sums.argmin(axis=0)
        total = sums.min(axis=0)
    state = int(total.argmin())
    for n in range(len(seen) - 1, -1, -1):
        against[seen[n]] = bool(state)
        state = int(ways[n, state])
    # Frames in which nothing is known are read as the ones before them.
    return against


def _hands_at_wrists(points: np.ndarray) -> np.ndarray:
    """Change left and right hand where both together lie nearer to the wrists that way."""
    points = points.copy()
    left, right = slice(kp.BODY_COUNT, kp.BODY_COUNT + kp.HAND_COUNT), slice(kp.BODY_COUNT + kp.HAND_COUNT, 60)
    roots = points[:, [left.start, right.start]]
    wrists = points[:, [kp.LEFT_WRIST, kp.RIGHT_WRIST]]

    def apart(hand: int, wrist: int) -> np.ndarray:
        distance = np.linalg.norm(roots[:, hand, :2] - wrists[:, wrist, :2], axis=1)
        return np.where((roots[:, hand, 2] > 0) & (wrists[:, wrist, 2] > 0), distance, 0.0)

    crossed = apart(0, 1) + apart(1, 0) < apart(0, 0) + apart(1, 1)
    points[crossed, left], points[crossed, right] = points[crossed, right], points[crossed, left].copy()
    return points
