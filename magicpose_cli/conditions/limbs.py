"""Forward kinematics in the picture: a driver's joints with bones of other lengths."""

import numpy as np

from magicpose_cli.conditions.proportions import HEAD, JOINT_COUNT, PELVIS, SEGMENTS
from magicpose_cli.core import keypoints as kp

_ANKLES = [kp.RIGHT_ANKLE, kp.LEFT_ANKLE]


def joints_of(body: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Body (F, 18, 2) and the head's middle (F, 2), NaN where not seen → joints (F, 20, 2)."""
    pelvis = (body[:, kp.RIGHT_HIP] + body[:, kp.LEFT_HIP]) / 2
    return np.concatenate([body, pelvis[:, None], head[:, None]], axis=1)


def filled(joints: np.ndarray) -> np.ndarray:
    """Gaps in time closed by straight lines: float64 (F, 20, 2); what is never seen stays NaN."""
    joints = joints.copy()
    frames = np.arange(len(joints))
    for index in range(joints.shape[1]):
        seen = np.isfinite(joints[:, index]).all(axis=1)
        if seen.any():
            for axis in (0, 1):
                joints[:, index, axis] = np.interp(frames, frames[seen], joints[seen, index, axis])
    return joints


def with_lengths(joints: np.ndarray, ratios: dict[str, float], root: int, place: np.ndarray) -> np.ndarray:
    """Joints (F, 20, 2) whose bones are ``ratios`` times as long and point as they did, from ``root`` at ``place``.

    A bone's seen length carries how far it points out of the picture, so a ratio of seen lengths is one of true ones.
    A joint that no chain of seen joints leads to is placed by the root. NaN where the joint is.
    """
    bones = [(a, b, ratios[name]) for name, segment in SEGMENTS.items() for a, b in segment.ends]
    whole = ratios["torso"]
    out = np.full_like(joints, np.nan)
    out[:, root] = place
    known, waiting = {root}, [root]
    seen = {joint for joint in range(JOINT_COUNT) if np.isfinite(joints[:, joint]).all()}
    while waiting:
        start = waiting.pop(0)
        for a, b, ratio in bones:
            for near, far in ((a, b), (b, a)):
                if near == start and far in seen - known:
                    out[:, far] = out[:, near] + ratio * (joints[:, far] - joints[:, near])
                    known.add(far)
                    waiting.append(far)
    for joint in seen - known:
        out[:, joint] = place + whole * (joints[:, joint] - joints[:, root])
    return out


def lowest_ankle(joints: np.ndarray) -> np.ndarray:
    """y (F,) of the lower ankle, NaN where none is seen."""
    return np.fmax(joints[:, _ANKLES[0], 1], joints[:, _ANKLES[1], 1])


__all__ = ["HEAD", "PELVIS", "filled", "joints_of", "lowest_ankle", "with_lengths"]
