"""Which skeletons are worth learning from, and why the others are not."""

import numpy as np

from magicpose_cli.core.keypoints import DETAIL_THRESHOLD, NECK, NOSE
from magicpose_cli.core.seen import is_seen
from magicpose_cli.pose.detector import PersonPose
from magicpose_cli.training.data.dataset_request import UsableSkeleton

NO_PERSON = "no person"
NO_HEAD = "no nose or no neck"
FEW_POINTS = "too few points"
SMALL = "too small"
BLACK_MAP = "an empty pose map"
NO_PARTNER = "no pose map of that name"
ODD_MAP = "a pose map of another shape"
ODD_SIZE = "another size than the video's first frame"


def why_unusable(pose: PersonPose | None, width: int, height: int, rule: UsableSkeleton) -> str:
    """One of the reasons above, or "" where the skeleton in a picture of ``width`` × ``height`` is usable."""
    if pose is None:
        return NO_PERSON
    seen = pose.body[:, 2] >= rule.confidence
    if not (seen[NOSE] and seen[NECK]):
        return NO_HEAD
    if seen.sum() < rule.points:
        return FEW_POINTS
    places = certain_points(pose.body, pose.left_hand, pose.right_hand, pose.face, rule.confidence)
    spans = places.max(axis=0) - places.min(axis=0)
    return SMALL if spans.max() < rule.size * min(width, height) else ""


def certain_points(
    body: np.ndarray, left_hand: np.ndarray, right_hand: np.ndarray, face: np.ndarray, confidence: float
) -> np.ndarray:
    """(n, 2): where the points lie that are drawn, of any number of frames, in their pixels."""
    detail = np.concatenate([part.reshape(-1, 3) for part in (left_hand, right_hand, face)])
    body = body.reshape(-1, 3)
    return np.concatenate([body[body[:, 2] >= confidence, :2], detail[detail[:, 2] >= DETAIL_THRESHOLD, :2]])


def sees(pose: PersonPose, *parts: str) -> bool:
    """Whether any of these parts (hands, face) is seen (``core.seen``)."""
    return any(bool(is_seen(getattr(pose, part))) for part in parts)
