"""Forward kinematics in the picture: a driver's joints with bones of other lengths."""

import numpy as np

from magicpose_cli.conditions.proportions import JOINT_COUNT, SEGMENTS
from magicpose_cli.core import keypoints as kp

_STANDING = 0.8  # quantile of the lower ankle's heights: jumps lie below, wrong points above


def fill_gaps(joints: np.ndarray) -> np.ndarray:
    """Joints (F, 20, 2) with gaps in time (NaN) closed by straight lines; what is never seen stays NaN."""
    joints = joints.copy()
    frames = np.arange(len(joints))
    for index in range(joints.shape[1]):
        seen = np.isfinite(joints[:, index]).all(axis=1)
        if seen.any() and not seen.all():
            for axis in (0, 1):
                joints[:, index, axis] = np.interp(frames, frames[seen], joints[seen, index, axis])
    return joints


def with_lengths(
    joints: np.ndarray, ratios: dict[str, float], root: int, root_places: np.ndarray, scale: float
) -> np.ndarray:
    """Joints (F, 20, 2) whose bones are ``ratios`` times as long and point as they did, from a root (F, 2) on.

    A bone is seen the shorter the more it points out of the picture; as a share of its length that stays, so ratios of
    true lengths are ratios of seen ones. A joint to which no bones lead from the root keeps its place to it, times
    ``scale``. NaN where a joint is never seen.
    """
    bones = [(a, b, ratios[name]) for name, segment in SEGMENTS.items() for a, b in segment.ends]
    bones += [(b, a, ratio) for a, b, ratio in bones]
    out = np.full_like(joints, np.nan)
    out[:, root] = root_places
    missing = {joint for joint in range(JOINT_COUNT) if np.isfinite(joints[:, joint]).all()} - {root}
    reached = [root]
    for start in reached:
        for a, b, ratio in bones:
            if a == start and b in missing:
                out[:, b] = out[:, a] + ratio * (joints[:, b] - joints[:, a])
                missing.remove(b)
                reached.append(b)
    for joint in missing:
        out[:, joint] = root_places + scale * (joints[:, joint] - joints[:, root])
    return out


def lowest_ankle(joints: np.ndarray) -> np.ndarray:
    """The height y (F,) of the lower ankle, NaN where none is seen."""
    return np.fmax(joints[:, kp.RIGHT_ANKLE, 1], joints[:, kp.LEFT_ANKLE, 1])


def floor_of(joints: np.ndarray) -> float:
    """Where the lower ankle is in most frames, in pixels; NaN where no ankle is ever seen."""
    heights = lowest_ankle(joints)
    heights = heights[np.isfinite(heights)]
    return float(np.quantile(heights, _STANDING)) if len(heights) else float("nan")
