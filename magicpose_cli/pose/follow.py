"""Who is who over a clip: the people found frame by frame, joined to one line each, through crossings and absences.

Frame by frame the people found are given to the people known, all at once and at the least total cost (tracking by
detection, as in SORT, Bewley et al. 2016, with keypoints beside boxes). Costs are shares of a person's size: how far
the trusted body points lie from where the person's motion would have taken them, and how little the boxes overlap.
Left and right may be mixed up in a frame: of both readings the nearer one counts. Trusted are body points of confidence
``BODY_THRESHOLD`` or more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from magicpose_cli.core.keypoints import BODY_COUNT, BODY_MIRRORED, BODY_THRESHOLD
from magicpose_cli.pose.assignment import assign
from magicpose_cli.pose.detector import PersonPose

# In seconds.
LONGEST_ABSENCE = 2.0  # of somebody who comes back where his motion or his place lets expect him
SHORTEST_LIFE = 0.4  # of a person; what is seen shorter is taken for a false detection
AT_ONCE = 1.0  # after the first person: who is seen in this time is there from the beginning, and numbered by place

_FARTHEST = 0.5  # cost up to which a pose may be the person of the frame before, in sizes
_WANDER = 0.6  # by which that grows in a second of absence
_DOUBT = 0.12  # two readings whose costs differ by less are doubtful
# Of a person's size, by which a false detection quivers in each frame; more, the longer a frame lasts. Measured: people
# 0.002 to 0.009 at 24 to 60 frames a second, up to 0.014 at 4 to 10; what is no person 0.023 to 0.14.
_MOST_UNREST, _MOST_UNREST_SECONDS = 0.015, 0.15
_MOST_UNREST_PIXELS = 2.0  # a person of any size may quiver so much: detectors that do not follow are a pixel off
_STRONG = 2.0  # times those: more than anybody does who is seen throughout, or is the only one
_THROUGHOUT = 0.8  # share of a clip's frames
# A person who may be none, over at least a second: he stays within this share of his size, and the detector is no surer
# of the points that it trusts. Measured with MediaPipe: still faces 0.026 and 0.93, what is no person 0.81 to 0.90.
_STILL, _UNSURE = 0.02, 0.9
_STEADY = 0.7  # share of the old velocity that is kept when a new one is seen
_COAST = 0.3  # seconds for which an unseen person is taken to go on as before


@dataclass(frozen=True)
class FollowedPerson:
    """One person of a clip: in which frames, and (n, 130, 3) points there, as the detector gave them.

    ``doubtful`` holds frames in which this person may have been taken for another one.
    """

    frames: np.ndarray
    points: np.ndarray
    doubtful: tuple[int, ...] = ()

    @property
    def boxes(self) -> np.ndarray:
        """(n, 4): left, top, right, bottom of the points that are there, in pixels."""
        return np.array([_box(points) for points in self.points])

    @property
    def area(self) -> float:
        """Square pixels of all boxes, summed: what ``largest`` goes by."""
        left, top, right, bottom = self.boxes.T
        return float(((right - left) * (bottom - top)).sum())


def follow(found: Sequence[Sequence[PersonPose]], fps: float) -> list[FollowedPerson]:
    """The people of a clip, in the order of their numbers, from the people found in each of its frames.

    Number 0 stands farthest left among those who are there at once (``AT_ONCE``); the numbers rise to the right; who
    comes later gets the next number.
    """
    linked = _link(found, fps)
    return _numbered(_lasting(_rejoined(linked, fps, len(found)), fps, len(found)), fps)


@dataclass
class _Line:
    """A person while he is being followed."""

    frames: list[int] = field(default_factory=list)
    points: list[np.ndarray] = field(default_factory=list)
    doubtful: set[int] = field(default_factory=set)
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))  # pixels a frame

    def take(self, index: int, points: np.ndarray) -> None:
        if self.frames:
            step = _shift(self.points[-1], points) / (index - self.frames[-1])
            self.velocity = _STEADY * self.velocity + (1 - _STEADY) * step
        self.frames.append(index)
        self.points.append(points)

    def expected(self, index: int, fps: float) -> np.ndarray:
        """The last points, moved on as before, but not for longer than ``_COAST``."""
        moved = self.points[-1].copy()
        moved[:, :2] += self.velocity * min(index - self.frames[-1], max(1.0, _COAST * fps))
        return moved

    def person(self) -> FollowedPerson:
        return FollowedPerson(np.array(self.frames), np.stack(self.points), tuple(sorted(self.doubtful)))


def _link(found: Sequence[Sequence[PersonPose]], fps: float) -> list[FollowedPerson]:
    lines: list[_Line] = []
    for index, poses in enumerate(found):
        points = [pose.points for pose in poses if pose.box is not None]
        open_lines = [line for line in lines if index - line.frames[-1] <= max(1.0, LONGEST_ABSENCE * fps)]
        costs = np.full((len(open_lines), len(points)), np.inf)
        for row, line in enumerate(open_lines):
            expected = line.expected(index, fps)
            most = _FARTHEST + _WANDER * (index - line.frames[-1] - 1) / fps
            for column, there in enumerate(points):
                cost = difference(expected, there)
                costs[row, column] = cost if cost <= most else np.inf
        taken = assign(costs)
        for row, column in taken:
            open_lines[row].take(index, points[column])
        for row, column in taken:
            if _is_doubtful(costs, row, column, dict(taken)):
                open_lines[row].doubtful.add(index)
        for column in set(range(len(points))) - {column for _, column in taken}:
            lines.append(_Line())
            lines[-1].take(index, points[column])
    return [line.person() for line in lines]


def _is_doubtful(costs: np.ndarray, row: int, column: int, taken: dict[int, int]) -> bool:
    """Whether two lines could have changed places, or another line could have had this pose, at about the same cost."""
    for other in range(len(costs)):
        if other == row or not np.isfinite(costs[other, column]):
            continue
        if other not in taken:
            if costs[other, column] < costs[row, column] + _DOUBT:
                return True
        elif costs[other, column] + costs[row, taken[other]] < costs[row, column] + costs[other, taken[other]] + _DOUBT:
            return True
    return False


def difference(points: np.ndarray, other: np.ndarray) -> float:
    """How unlike two (130, 3) people of one frame are: 0 for the same points, about 1 a whole person's size apart.

    Where fewer than three trusted body points are common to both, the boxes alone count.
    """
    size = max(_size(points), _size(other))
    box, other_box = _box(points), _box(other)
    apart = 1 - _overlap(box, other_box)
    middles = math.dist(_middle(box), _middle(other_box)) / size
    readings = []
    for body in (other[:BODY_COUNT], other[list(BODY_MIRRORED)]):
        both = (points[:BODY_COUNT, 2] >= BODY_THRESHOLD) & (body[:, 2] >= BODY_THRESHOLD)
        if both.sum() >= 3:
            distances = np.linalg.norm(points[:BODY_COUNT][both, :2] - body[both, :2], axis=1)
            readings.append(float(np.minimum(distances / size, 2).mean()))
    return 0.75 * min(readings, default=middles) + 0.25 * apart


def _rejoined(people: list[FollowedPerson], fps: float, frames: int) -> list[FollowedPerson]:
    """Lines that belong to one person who was away for long, or was shown elsewhere after a cut, made one.

    Joined are lines that do not overlap in time and either lie near each other, in place and size, or are of the only
    person in the picture at both ends.
    """
    shortest = _shortest(fps, frames)
    people = sorted(people, key=lambda person: int(person.frames[0]))
    chains: list[FollowedPerson] = []
    for person in people:
        costs = []
        for chain in chains:
            if chain.frames[-1] >= person.frames[0]:
                continue
            near = difference(chain.points[-1], person.points[0])
            ratio = abs(math.log2(_size(chain.points[-1]) / _size(person.points[0])))
            if near < 1 and ratio < 0.7:
                costs.append((near + ratio, chain))
            elif _alone(person, people, shortest) and _alone(chain, people, shortest):
                costs.append((2 + near + ratio, chain))
        if costs and len(person.frames) >= shortest:
            chain = min(costs, key=lambda pair: pair[0])[1]
            chains = [c for c in chains if c is not chain]
            chains.append(_joined(chain, person))
        else:
            chains.append(person)
    return chains


def _alone(person: FollowedPerson, people: list[FollowedPerson], shortest: int) -> bool:
    """Whether nobody else who lasts is in the picture where this person comes and where he goes."""
    others = [p for p in people if len(p.frames) >= shortest and not np.isin(p.frames, person.frames).all()]
    return not any(
        other.frames[0] <= at <= other.frames[-1] for other in others for at in (person.frames[0], person.frames[-1])
    )


def _joined(first: FollowedPerson, then: FollowedPerson) -> FollowedPerson:
    return FollowedPerson(
        np.concatenate([first.frames, then.frames]),
        np.concatenate([first.points, then.points]),
        (*first.doubtful, int(then.frames[0]), *then.doubtful),
    )


def _lasting(people: list[FollowedPerson], fps: float, frames: int) -> list[FollowedPerson]:
    """Those who are seen for long enough, and do not quiver as no living being does.

    Who is seen throughout may quiver more. Where nobody would be left, the one seen longest stays, unless he quivers
    strongly and is seen in a part of the clip only.
    """
    long = [p for p in people if len(p.frames) >= _shortest(fps, frames)]
    judged = [(p, _unrest(p, fps), len(p.frames) >= _THROUGHOUT * frames) for p in long]
    calm = [p for p, unrest, throughout in judged if unrest < (_STRONG if throughout else 1)]
    likely = [p for p, unrest, throughout in judged if unrest < _STRONG or throughout]
    return calm or sorted(likely, key=lambda p: -len(p.frames))[:1]


def may_be_nobody(person: FollowedPerson, fps: float, *, says_visibility: bool) -> bool:
    """Whether somebody who lasts may still be a false detection: a thing that the detector takes for a person.

    He quivers more than people do, or he hardly moves and the detector is not sure of him. A person who sits still may
    do so too: it is for the user to look. How sure a detector is counts only where it ``says_visibility``: the peaks of
    OpenPose and DWPose are lower on people seen well.
    """
    body = person.points[:, :BODY_COUNT]
    trusted = body[..., 2] >= BODY_THRESHOLD
    if len(body) < fps or not trusted.any():
        return False
    size = float(np.median([_size(points) for points in person.points]))
    moved = [
        np.ptp(np.quantile(body[seen, point, :2], (0.05, 0.95), axis=0), axis=0).max()
        for point, seen in enumerate(trusted.T)
        if seen.any()
    ]
    still = bool(np.median(moved) < _STILL * size)
    unsure = says_visibility and bool(body[trusted, 2].mean() < _UNSURE)
    return _unrest(person, fps) >= 1 or (still and unsure)


def _unrest(person: FollowedPerson, fps: float) -> float:
    """How much the person quivers, 1 being the most that a living being does.

    By how far a trusted body point lies off the middle between itself before and after: the median.
    """
    body = person.points[:, :BODY_COUNT]
    trusted = body[..., 2] >= BODY_THRESHOLD
    known = trusted[:-2] & trusted[1:-1] & trusted[2:] & (np.diff(person.frames, 2) == 0)[:, None]
    off = np.linalg.norm(body[1:-1, :, :2] - (body[:-2, :, :2] + body[2:, :, :2]) / 2, axis=2)[known]
    size = float(np.median([_size(points) for points in person.points]))
    most = max((_MOST_UNREST + _MOST_UNREST_SECONDS / fps) * size, _MOST_UNREST_PIXELS)
    return float(np.median(off)) / most if len(off) else 0.0


def _shortest(fps: float, frames: int) -> int:
    """Frames that a person must be seen in: ``SHORTEST_LIFE``, or half of a clip too short for that."""
    return max(1, min(math.ceil(SHORTEST_LIFE * fps), math.ceil(frames / 2)))


def number_there_at_once(people: Sequence[FollowedPerson], fps: float) -> int:
    """How many of the people are seen within ``AT_ONCE`` of the first one: theirs are the first numbers."""
    first = min(int(person.frames[0]) for person in people)
    return sum(int(person.frames[0]) <= first + AT_ONCE * fps for person in people)


def _numbered(people: list[FollowedPerson], fps: float) -> list[FollowedPerson]:
    by_time = sorted(people, key=lambda person: (int(person.frames[0]), _middle(person.boxes[0])[0]))
    if not people:
        return []
    at_once = number_there_at_once(people, fps)
    return sorted(by_time[:at_once], key=lambda person: _middle(person.boxes[0])[0]) + by_time[at_once:]


def _shift(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """By how many pixels (2,) a person has moved: the median of the points that are in both."""
    both = (before[:, 2] > 0) & (after[:, 2] > 0)
    return np.median(after[both, :2] - before[both, :2], axis=0) if both.any() else np.zeros(2)


def _box(points: np.ndarray) -> tuple[float, float, float, float]:
    """Of the trusted points, or of all that are there where none is trusted."""
    there = points[points[:, 2] >= BODY_THRESHOLD, :2]
    there = there if len(there) else points[points[:, 2] > 0, :2]
    (left, top), (right, bottom) = there.min(axis=0), there.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _middle(box: tuple[float, ...]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _size(points: np.ndarray) -> float:
    """Pixels: half the box's width and height together, so that a raised arm counts little."""
    left, top, right, bottom = _box(points)
    return max((right - left + bottom - top) / 2, 1.0)


def _overlap(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))
    return shared / (areas - shared) if areas > shared else 0.0
