"""Which points belong to one person: part affinity fields (PAFs), read along the limbs.

A PAF holds, where a limb is, the unit vector from its first point to its second. Two points are joined as far as the
field between them runs along their line; each point joins one other a limb, the surest first; limbs that share a point
are one person.
Source: OpenPose (Cao et al., 2019, arXiv 1812.08008), sections 3.3 and 3.4, and its COCO model's order of limbs and
channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from magicpose_cli.core.keypoints import (
    BODY_COUNT,
    LEFT_ANKLE,
    LEFT_EAR,
    LEFT_ELBOW,
    LEFT_EYE,
    LEFT_HIP,
    LEFT_KNEE,
    LEFT_SHOULDER,
    LEFT_WRIST,
    NECK,
    NOSE,
    RIGHT_ANKLE,
    RIGHT_EAR,
    RIGHT_ELBOW,
    RIGHT_EYE,
    RIGHT_HIP,
    RIGHT_KNEE,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)
from magicpose_cli.pose.heatmaps import STRIDE


@dataclass(frozen=True)
class Limb:
    """From one body point to another; ``channel`` of the 38 holds x, the next one y of its field."""

    start: int
    end: int
    channel: int


LIMBS = (
    Limb(NECK, RIGHT_SHOULDER, 12),
    Limb(NECK, LEFT_SHOULDER, 20),
    Limb(RIGHT_SHOULDER, RIGHT_ELBOW, 14),
    Limb(RIGHT_ELBOW, RIGHT_WRIST, 16),
    Limb(LEFT_SHOULDER, LEFT_ELBOW, 22),
    Limb(LEFT_ELBOW, LEFT_WRIST, 24),
    Limb(NECK, RIGHT_HIP, 0),
    Limb(RIGHT_HIP, RIGHT_KNEE, 2),
    Limb(RIGHT_KNEE, RIGHT_ANKLE, 4),
    Limb(NECK, LEFT_HIP, 6),
    Limb(LEFT_HIP, LEFT_KNEE, 8),
    Limb(LEFT_KNEE, LEFT_ANKLE, 10),
    Limb(NECK, NOSE, 28),
    Limb(NOSE, RIGHT_EYE, 30),
    Limb(RIGHT_EYE, RIGHT_EAR, 34),
    Limb(NOSE, LEFT_EYE, 32),
    Limb(LEFT_EYE, LEFT_EAR, 36),
    Limb(RIGHT_SHOULDER, RIGHT_EAR, 18),
    Limb(LEFT_SHOULDER, LEFT_EAR, 26),
)
_TREE = 17  # the limbs before make a tree over all points; the last two only join what others left apart

SAMPLES = 10  # points of a limb at which its field is read
_ALONG = 0.05  # the field runs along a limb where this much of it does
_SHARE = 0.8  # more of the samples than this must do so
_FEWEST = 4  # points of a person
_SUREST = 0.4  # of a person at least: scores of points and limbs together, a point


@dataclass
class _Group:
    """Points of one person so far: body point → row of its peak; ``score`` sums up peaks and limbs."""

    rows: dict[int, int]
    score: float


def associate(fields: Tensor, positions: Tensor, scores: Tensor) -> list[list[np.ndarray]]:
    """The people of each frame: (18, 3) float32 arrays of x, y, score, a missing point all 0; the surest first.

    fields: (N, 38, h, w). positions (N, 18, P, 2), scores (N, 18, P): peaks as ``heatmaps.find_peaks`` gives them.
    """
    there = scores.cpu().numpy() > 0  # (N, 18, P)
    pairs = _candidates(there)
    evidence = _limb_scores(fields, positions, pairs)
    joined = [[[] for _ in LIMBS] for _ in there]
    for (frame, limb, a, b), score in zip(pairs[evidence > 0], evidence[evidence > 0], strict=True):
        joined[frame][limb].append((float(score), int(a), int(b)))
    places, sureness = positions.cpu().numpy(), scores.cpu().numpy()
    return [list(_people(joined[n], places[n], sureness[n])) for n in range(len(there))]


def _candidates(there: np.ndarray) -> np.ndarray:
    """Each pair of peaks that a limb could join: (M, 4) frame, limb, rows of its start and end among the peaks."""
    found = [np.zeros((0, 4), np.int64)]
    for frame, peaks in enumerate(there):
        for number, limb in enumerate(LIMBS):
            starts, ends = np.flatnonzero(peaks[limb.start]), np.flatnonzero(peaks[limb.end])
            a, b = (grid.ravel() for grid in np.meshgrid(starts, ends, indexing="ij"))
            found.append(np.stack([np.full_like(a, frame), np.full_like(a, number), a, b], axis=1))
    return np.concatenate(found)


def _limb_scores(fields: Tensor, positions: Tensor, pairs: np.ndarray) -> np.ndarray:
    """(M,) mean of the field along each pair's line; 0 where too little of the line has a field along it."""
    if not len(pairs):
        return np.zeros(0, np.float32)
    device = fields.device
    frame, limb, a, b = torch.from_numpy(pairs).to(device).unbind(1)
    starts, ends, channels = torch.tensor([(each.start, each.end, each.channel) for each in LIMBS], device=device).T
    start, end = positions[frame, starts[limb], a], positions[frame, ends[limb], b]  # (M, 2)
    way = end - start
    direction = way / torch.linalg.vector_norm(way, dim=1, keepdim=True).clamp(min=1e-3)
    shares = torch.linspace(0, 1, SAMPLES, device=device)[None, :, None]
    points = start[:, None] + shares * way[:, None]  # (M, SAMPLES, 2)
    along = sum(
        _read(fields, frame, channels[limb] + axis, points) * direction[:, axis, None] for axis in (0, 1)
    )  # (M, SAMPLES)
    enough = (along > _ALONG).float().mean(dim=1) > _SHARE
    return torch.where(enough, along.mean(dim=1), along.new_zeros(())).cpu().numpy()


def _read(fields: Tensor, frame: Tensor, channel: Tensor, points: Tensor) -> Tensor:
    """The fields (N, 38, h, w) of the given frames and channels (M,) at points (M, S, 2), bilinear: (M, S)."""
    height, width = fields.shape[2:]
    cells = points / STRIDE - 0.5
    x = cells[..., 0].clamp(0, width - 1)
    y = cells[..., 1].clamp(0, height - 1)
    left, top = x.floor().long(), y.floor().long()
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    frame, channel = frame[:, None], channel[:, None]
    upper = torch.lerp(fields[frame, channel, top, left], fields[frame, channel, top, right], x - left)
    lower = torch.lerp(fields[frame, channel, bottom, left], fields[frame, channel, bottom, right], x - left)
    return torch.lerp(upper, lower, y - top)


def _people(joined: list[list], places: np.ndarray, scores: np.ndarray) -> Iterator[np.ndarray]:
    """People of one frame out of its limbs' (score, start row, end row), peaks (18, P, 2) and scores (18, P)."""
    groups: dict[tuple[int, int], _Group] = {}  # (point, row) → the group it is in
    for number, limb in enumerate(LIMBS):
        for score, a, b in _surest_first(joined[number]):
            start, end = (limb.start, a), (limb.end, b)
            first, second = groups.get(start), groups.get(end)
            if first is None and second is None:
                if number >= _TREE:
                    continue
                first = groups[start] = _Group({limb.start: a}, float(scores[start]))
            if first is second:
                continue
            if first is None or second is None:
                group, point = (second, start) if first is None else (first, end)
                if point[0] in group.rows:
                    continue
                group.rows[point[0]] = point[1]
                group.score += float(scores[point]) + score
                groups[point] = group
            elif not first.rows.keys() & second.rows.keys():
                first.rows |= second.rows
                first.score += second.score + score
                for point in second.rows.items():
                    groups[point] = first
    found = {id(group): group for group in groups.values()}.values()
    sure = [g for g in found if len(g.rows) >= _FEWEST and g.score / len(g.rows) >= _SUREST]
    for group in sorted(sure, key=lambda each: -each.score):
        person = np.zeros((BODY_COUNT, 3), np.float32)
        for point, row in group.rows.items():
            person[point] = *places[point, row], min(1.0, scores[point, row])
        yield person


def _surest_first(joined: list[tuple[float, int, int]]) -> Iterator[tuple[float, int, int]]:
    """Each start and each end once, in the pair with the highest score."""
    starts, ends = set(), set()
    for score, a, b in sorted(joined, key=lambda each: -each[0]):
        if a not in starts and b not in ends:
            starts.add(a)
            ends.add(b)
            yield score, a, b
