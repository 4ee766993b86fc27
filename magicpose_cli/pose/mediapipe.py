"""The embedded detector: MediaPipe's pose, face and hand models, which come inside its wheel (no download).

Several people: they are searched for at times, and each is followed by a graph of his own from frame to frame. Body
confidences are MediaPipe's visibility: the chance that the point is in the frame and not hidden. MediaPipe gives none
for the points of hands and face: a hand or face that it reports has confidence 1 at each point. A point outside the
picture is missing, however sure MediaPipe is of its guess. Nothing is smoothed over time here.
"""

from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np

from magicpose_cli.core.keypoints import (
    LEFT_ELBOW,
    LEFT_HIP,
    LEFT_SHOULDER,
    LEFT_WRIST,
    RIGHT_ELBOW,
    RIGHT_HIP,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)
from magicpose_cli.pose.detector import PersonPose, PoseDetector, check_frame
from magicpose_cli.pose.mediapipe_graphs import HandGraph, PeopleGraph, PersonGraph, Picture, Place, mediapipe_version
from magicpose_cli.pose.mediapipe_layout import body_of_33, face_of_478, with_head_of_mesh
from magicpose_cli.pose.mediapipe_search import middle_of, search, search_at, search_small
from magicpose_cli.pose.quiet import without_native_noise

# The models look at crops of 192 to 256 pixels, so more than this adds nothing but cost. Measured at 1080 × 1920: half
# the size saves 3 % of the time, and moves faces by 0.8 and limbs by 2 pixels (median).
LONGEST_SIDE = 1920

MOST_PEOPLE = 6
"""Followed at a time: the first ones found. Each costs as much as the first."""

# In frames. A search of the whole picture costs about as much as one person's points, a wide one several times that.
_SEARCH_EVERY, _WIDE_EVERY = 24, 96
_WIDE_AT_FIRST = (0, 24)
_LOOK_FOR_LOST, _LOST_EVERY = 48, 4

_SMALLEST_HAND = 24  # pixels of a forearm; smaller hands show no fingers
_LIMBS = slice(11, 29)  # of MediaPipe's 33 points: shoulders to ankles
_LONGEST_REST = 8  # frames between looks for a hand that is not found


@dataclass
class _Followed:
    """One person from frame to frame: where to look next, and how often each hand was looked for in vain."""

    graph: PersonGraph
    place: Place
    misses: dict[str, int] = field(default_factory=lambda: {"left_hand": 0, "right_hand": 0})


class MediaPipeDetector(PoseDetector):
    """MediaPipe as a ``PoseDetector``.

    ``still`` searches each frame afresh (single photos). Otherwise people are followed from frame to frame, at most
    ``MOST_PEOPLE``; somebody who enters is found within ``_SEARCH_EVERY`` frames where he is large, ``_WIDE_EVERY``
    where he is small. Raises UsageError where mediapipe does not load, DeviceError where OpenCV wants a system library.
    """

    name = "mediapipe"
    says_visibility = True

    def __init__(self, *, still: bool = False) -> None:
        self._still = still
        self._heard: set[object] = set()  # graphs that have said all that they say on their first pictures
        with without_native_noise():
            self.version = mediapipe_version()
            self._people = PeopleGraph()
            self._people.find(Picture(np.zeros((64, 64, 3), np.uint8)))  # the models load on the first picture
            self._hand = HandGraph()
        self._idle: list[PersonGraph] = []
        self._followed: list[_Followed] = []
        self._lost: list[tuple[Place, int]] = []
        self._index = 0

    def detect(self, frame: np.ndarray) -> list[PersonPose]:
        """People in an RGB uint8 (height, width, 3) frame, in its pixels; those found first come first."""
        check_frame(frame)
        if self._still:
            self.reset()
        seen = _scaled_down(frame)
        picture = Picture(seen)
        parts = self._follow(picture)
        parts += self._begin_all(picture, self._new_places(seen))
        if not parts and self._looks_wide():
            parts = self._begin_all(picture, [middle_of(seen)])
            parts = parts or self._begin_all(picture, search_small(seen, self._people))
        self._index += 1
        scale = np.array([frame.shape[1] / picture.width, frame.shape[0] / picture.height, 1], np.float32)
        poses = []
        for person, found in zip(self._followed, parts, strict=True):
            self._look_for_hands(seen, person, found)
            pose = _pose({name: points * scale for name, points in found.items()})
            poses.append(pose.inside(frame.shape[1], frame.shape[0]))
        return [pose for pose in poses if pose.box is not None]

    def reset(self) -> None:
        """Forget the people followed so far."""
        self._idle += [person.graph for person in self._followed]
        self._followed, self._lost, self._index = [], [], 0
        for graph in self._idle:
            graph.forget()

    def close(self) -> None:
        """Free the models; the detector is of no use afterwards."""
        for graph in (*self._idle, *(person.graph for person in self._followed)):
            graph.close()
        self._people.close()
        self._hand.close()

    def _follow(self, picture: Picture) -> list[dict[str, np.ndarray]]:
        """The points of those followed; who is not seen any more, or is seen twice, is followed no more."""
        kept, parts = [], []
        for person in self._followed:
            found, place = self._look(person.graph, picture, person.place)
            if place is None or _is_of_others(found["pose"], [other["pose"] for other in parts], place):
                self._lost.append((person.place, self._index))
                self._idle.append(person.graph)
                continue
            person.place = place
            kept.append(person)
            parts.append(found)
        self._followed = kept
        return parts

    def _new_places(self, frame: np.ndarray) -> list[Place]:
        known = [person.place for person in self._followed]
        self._lost = [(place, when) for place, when in self._lost if self._index - when < _LOOK_FOR_LOST]
        if self._looks_wide() or not known or self._index % _SEARCH_EVERY == 0:
            return search(frame, self._people, known, wide=self._looks_wide())
        places: list[Place] = []
        for lost, when in self._lost:
            if (self._index - when) % _LOST_EVERY == 0:
                places += search_at(frame, self._people, lost, known + places)
        return places

    def _looks_wide(self) -> bool:
        return self._index in _WIDE_AT_FIRST or self._index % _WIDE_EVERY == 0

    def _begin_all(self, picture: Picture, places: list[Place]) -> list[dict[str, np.ndarray]]:
        return [found for place in places if len(self._followed) < MOST_PEOPLE for found in self._begin(picture, place)]

    def _begin(self, picture: Picture, place: Place) -> list[dict[str, np.ndarray]]:
        """Follow the person in this place from now on, if the model of points sees one there who is not followed."""
        if not self._idle:
            with without_native_noise():
                self._idle.append(PersonGraph())
        graph = self._idle.pop()
        # The second look is from where the first one saw the person: a proposal lies off by a tenth of its size.
        found, settled = self._look(graph, picture, place)
        if settled is not None:
            found, settled = self._look(graph, picture, settled)
        if settled is None or any(settled.like(person.place) for person in self._followed):
            self._idle.append(graph)
            return []
        self._lost = [(lost, when) for lost, when in self._lost if not lost.like(settled)]
        self._followed.append(_Followed(graph, settled))
        return [found]

    def _look(self, graph: PersonGraph, picture: Picture, place: Place) -> tuple[dict[str, np.ndarray], Place | None]:
        with nullcontext() if graph in self._heard else without_native_noise():
            found, following = graph.look(picture, place)
        if found.keys() == set(PersonGraph.PARTS):
            self._heard.add(graph)  # each model warns once, on its first picture
        return found, following

    def _look_for_hands(self, frame: np.ndarray, person: _Followed, found: dict[str, np.ndarray]) -> None:
        """Add hands that were missed: seen once more, larger, in a crop round the end of the forearm.

        Where that is in vain again and again it is done less and less often.
        """
        body = body_of_33(found["pose"])
        for name, wrist, elbow in (
            ("left_hand", LEFT_WRIST, LEFT_ELBOW),
            ("right_hand", RIGHT_WRIST, RIGHT_ELBOW),
        ):
            other = found.get("right_hand" if name == "left_hand" else "left_hand")
            if name in found or body[wrist, 2] < 0.5:
                continue
            misses = person.misses[name]
            if misses and misses % min(misses, _LONGEST_REST) and not self._still:
                person.misses[name] += 1
                continue
            hand = self._hand_at(frame, body, wrist, elbow)
            if hand is not None and (other is None or np.linalg.norm(hand - other, axis=1).mean() > _reach(body) / 4):
                found[name] = hand
                person.misses[name] = 0
            else:
                person.misses[name] += 1

    def _hand_at(self, frame: np.ndarray, body: np.ndarray, wrist: int, elbow: int) -> np.ndarray | None:
        """(21, 3) of the hand at the end of a forearm, in the frame's pixels, or None."""
        forearm = max(float(np.linalg.norm(body[wrist, :2] - body[elbow, :2])), _reach(body))
        if forearm < _SMALLEST_HAND:
            return None
        middle = body[wrist, :2] + 0.3 * (body[wrist, :2] - body[elbow, :2])
        side = round(1.6 * forearm)
        left, top = (round(float(at) - side / 2) for at in middle)
        crop = np.zeros((side, side, 3), np.uint8)
        piece = frame[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
        if min(piece.shape[:2]) < _SMALLEST_HAND:
            return None
        y, x = max(-top, 0), max(-left, 0)
        crop[y : y + piece.shape[0], x : x + piece.shape[1]] = piece
        with nullcontext() if self._hand in self._heard else without_native_noise():
            hand = self._hand.find(crop)
        if hand is None:
            return None
        self._heard.add(self._hand)
        hand[:, :2] += left, top
        return hand if np.linalg.norm(hand[0, :2] - body[wrist, :2]) < forearm / 2 else None


def _pose(found: dict[str, np.ndarray]) -> PersonPose:
    """What the graphs found, in pixels of the frame, in our layout."""
    nobody = PersonPose.empty()
    mesh = found.get("face")
    return PersonPose(
        body=with_head_of_mesh(body_of_33(found["pose"]), mesh),
        left_hand=_present(found["left_hand"]) if "left_hand" in found else nobody.left_hand,
        right_hand=_present(found["right_hand"]) if "right_hand" in found else nobody.right_hand,
        face=nobody.face if mesh is None else _present(face_of_478(mesh)),
    )


def _reach(body: np.ndarray) -> float:
    """About the length of a forearm in pixels, however it points: a share of the trunk's length and width."""
    shoulders, hips = body[[RIGHT_SHOULDER, LEFT_SHOULDER], :2], body[[RIGHT_HIP, LEFT_HIP], :2]
    trunk = np.linalg.norm(shoulders.mean(axis=0) - hips.mean(axis=0))
    return float(0.45 * max(trunk, np.linalg.norm(shoulders[0] - shoulders[1])))


def _is_of_others(pose: np.ndarray, others: list[np.ndarray], place: Place) -> bool:
    """Whether a follower has come upon people who are followed already: most limbs lie where one of them has his."""
    if not others:
        return False
    apart = np.linalg.norm(np.stack(others)[:, _LIMBS, :2] - pose[_LIMBS, :2], axis=2).min(axis=0)
    return bool(np.median(apart) < 0.08 * place.side)


def _scaled_down(frame: np.ndarray) -> np.ndarray:
    factor = -(-max(frame.shape[:2]) // LONGEST_SIDE)
    if factor == 1:
        return np.ascontiguousarray(frame)
    import cv2

    # A whole factor: averaging over fractions of pixels takes eight times as long.
    height, width = (max(1, side // factor) for side in frame.shape[:2])
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)


def _present(points: np.ndarray) -> np.ndarray:
    """Confidence 1 for all points of a part that MediaPipe reports."""
    return np.concatenate([points[:, :2], np.ones((len(points), 1), np.float32)], axis=1)
