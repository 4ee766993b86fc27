"""One frame of OpenPose JSON → the people in it, in our layout."""

import math
from typing import Any

import numpy as np

from magicpose_cli.core.keypoints import FACE_COUNT, HAND_COUNT
from magicpose_cli.pose.detector import PersonPose

_KEYS = {
    "body": "pose_keypoints_2d",
    "left_hand": "hand_left_keypoints_2d",
    "right_hand": "hand_right_keypoints_2d",
    "face": "face_keypoints_2d",
}

# OpenPose's BODY_25 has the hips' middle at 8 and six points of the feet at the end; the rest is our order.
_BODY_18_OF_25 = (*range(0, 8), *range(9, 19))

_MOST_PEOPLE = 1000  # in a frame
_FARTHEST = 1e6  # pixels; nothing real lies farther out

_OTHER_LAYOUTS = {
    17: "the COCO-17 layout",
    26: "the Halpe-26 layout",
    33: "MediaPipe's own layout",
    133: "the COCO whole-body layout (DWPose's own)",
    135: "OpenPose's BODY_135 layout",
}


class FrameError(ValueError):
    """What is wrong inside a frame's JSON; the caller adds the file's name."""


def people_of(frame: Any) -> tuple[list[PersonPose], str]:
    """The people of one frame and the body layout read: ``18``, ``25`` or an empty string where there is no body.

    A missing, empty or null hand or face is a missing part; a point of confidence 0, or at exactly (-1, -1), a
    missing point. Raises FrameError.
    """
    if not isinstance(frame, dict) or not isinstance(frame.get("people"), list):
        raise FrameError("no OpenPose frame: it has no list 'people'")
    if len(frame["people"]) > _MOST_PEOPLE:
        raise FrameError(f"it has {len(frame['people'])} people, more than {_MOST_PEOPLE}")
    people, layouts = [], set()
    for number, person in enumerate(frame["people"]):
        where = f"people[{number}]"
        if not isinstance(person, dict) or not any(key in person for key in _KEYS.values()):
            raise FrameError(f"{where} has none of {', '.join(_KEYS.values())}")
        parts = {part: _numbers(person.get(key), f"{where}.{key}") for part, key in _KEYS.items()}
        layouts.add(str(len(parts["body"])) if len(parts["body"]) else "")
        people.append(PersonPose(**_our_layout(parts, where)))
    return people, max(layouts, default="")


def frame_of(pose: PersonPose | None, width: int, height: int) -> dict[str, Any]:
    """The JSON value of a frame with this person, or with nobody. Numbers are the shortest that give float32 back."""
    people = []
    if pose is not None and pose.box is not None:
        # numpy prints the shortest digits that tell one float32 from all others; float() keeps them for json.
        people.append({key: [float(n) for n in getattr(pose, part).ravel().astype(str)] for part, key in _KEYS.items()})
    return {"version": 1.3, "canvas_width": width, "canvas_height": height, "people": people}


def canvas_of(frame: dict[str, Any]) -> tuple[int, int] | None:
    """(width, height) as the frame says, or None where it does not. Raises FrameError."""
    sides = [frame.get("canvas_width"), frame.get("canvas_height")]
    if sides == [None, None]:
        return None
    for side in sides:
        if not isinstance(side, int | float) or isinstance(side, bool) or side != int(side) or not 1 <= side <= 65536:
            raise FrameError(f"canvas_width and canvas_height must be whole numbers of pixels, not {sides}")
    return int(sides[0]), int(sides[1])


def _numbers(value: Any, where: str) -> np.ndarray:
    """A flat list of x, y, confidence → (n, 3) float32; (0, 3) where there is nothing."""
    if value is None or value == []:
        return np.zeros((0, 3), np.float32)
    if not isinstance(value, list):
        raise FrameError(f"{where} is not a list of numbers")
    for index, number in enumerate(value):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise FrameError(f"{where}[{index}] is not a number")
        if not math.isfinite(number) or abs(number) > _FARTHEST:
            raise FrameError(f"{where}[{index}] is {number:.6g}, which is no place in a picture")
    if len(value) % 3:
        raise FrameError(f"{where} holds {len(value)} numbers, which is not x, y, confidence for each point")
    points = np.array(value, np.float32).reshape(-1, 3)
    points[:, 2] = points[:, 2].clip(0, 1)
    points[(points[:, 2] == 0) | (points[:, :2] == -1).all(axis=1)] = 0
    return points


def _our_layout(parts: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    counts = {part: len(points) for part, points in parts.items()}
    pose = PersonPose.empty()
    out = {part: getattr(pose, part).copy() for part in _KEYS}
    if counts["body"] == 25:
        out["body"] = parts["body"][list(_BODY_18_OF_25)]
    elif counts["body"] == 18:
        out["body"] = parts["body"]
    elif counts["body"]:
        layout = _OTHER_LAYOUTS.get(counts["body"], "a layout we do not know")
        raise FrameError(f"{where}.{_KEYS['body']} has {counts['body']} points ({layout}); OpenPose's has 18 or 25")
    for part, allowed in (("left_hand", (HAND_COUNT,)), ("right_hand", (HAND_COUNT,)), ("face", (68, FACE_COUNT))):
        if counts[part] and counts[part] not in allowed:
            raise FrameError(f"{where}.{_KEYS[part]} has {counts[part]} points, not {' or '.join(map(str, allowed))}")
        out[part][: counts[part]] = parts[part]
    return out
