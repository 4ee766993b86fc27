"""MediaPipe's models from its wheel, joined to graphs of our own: where people are, one person's points, one hand.

MediaPipe's own Holistic finds its person itself and gives one. Here the same subgraphs stand apart: people are
proposed by one graph, and each of them has a graph of its own, which is told where to look.
Sources: MediaPipe's graphs ``pose_detection``, ``pose_landmark``, ``holistic_landmark`` and ``hand_landmark``.
"""

import functools
import importlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.opencv_guard import explain_opencv
from magicpose_cli.core.pyplot_guard import pyplot_when_used

_PEOPLE = """
input_stream: "image"
output_stream: "people"
node {
  calculator: "PoseDetectionCpu" input_stream: "IMAGE:image" output_stream: "DETECTIONS:people"
}
"""

_PERSON = """
input_stream: "image"
input_stream: "place"
input_side_packet: "complexity"
input_side_packet: "segmentation"
input_side_packet: "refine"
node {
  calculator: "PoseLandmarkByRoiCpu"
  input_stream: "IMAGE:image" input_stream: "ROI:place"
  input_side_packet: "MODEL_COMPLEXITY:complexity" input_side_packet: "ENABLE_SEGMENTATION:segmentation"
  output_stream: "LANDMARKS:pose" output_stream: "AUXILIARY_LANDMARKS:next_place"
}
node {
  calculator: "HandLandmarksLeftAndRightCpu"
  input_stream: "IMAGE:image" input_stream: "POSE_LANDMARKS:pose"
  output_stream: "LEFT_HAND_LANDMARKS:left_hand" output_stream: "RIGHT_HAND_LANDMARKS:right_hand"
}
node {
  calculator: "SplitNormalizedLandmarkListCalculator"
  input_stream: "pose" output_stream: "head"
  options: { [mediapipe.SplitVectorCalculatorOptions.ext] { ranges: { begin: 0 end: 11 } } }
}
node {
  calculator: "FaceLandmarksFromPoseCpu"
  input_stream: "IMAGE:image" input_stream: "FACE_LANDMARKS_FROM_POSE:head"
  input_side_packet: "REFINE_LANDMARKS:refine"
  output_stream: "FACE_LANDMARKS:face"
}
"""

_HAND = """
input_stream: "image"
input_side_packet: "complexity"
input_side_packet: "hands"
input_side_packet: "follow"
node {
  calculator: "HandLandmarkTrackingCpu"
  input_stream: "IMAGE:image"
  input_side_packet: "MODEL_COMPLEXITY:complexity" input_side_packet: "NUM_HANDS:hands"
  input_side_packet: "USE_PREV_LANDMARKS:follow"
  output_stream: "LANDMARKS:hands_found"
}
"""

_AROUND = 1.25  # the place is so much larger than the circle round the hips that holds the person, as in MediaPipe


@dataclass(frozen=True)
class Place:
    """A square, turned with the person: its middle (the hips) and side in pixels, its turn in radians."""

    x: float
    y: float
    side: float
    turn: float = 0.0

    @staticmethod
    def of(hips: tuple[float, float], top: tuple[float, float]) -> "Place":
        """From the middle of the hips to the point above the head on the circle that holds the person, in pixels."""
        across, up = top[0] - hips[0], hips[1] - top[1]
        turn = math.remainder(math.pi / 2 - math.atan2(up, across), 2 * math.pi)
        return Place(hips[0], hips[1], 2 * math.hypot(across, up) * _AROUND, turn)

    def like(self, other: "Place") -> bool:
        """Whether both may be of one person."""
        apart = math.hypot(self.x - other.x, self.y - other.y) / max(self.side, other.side)
        ratio = min(self.side, other.side) / max(self.side, other.side)
        # What is small and lies within the larger one is taken for a part of that person.
        return apart < (0.2 if ratio > 0.5 else 0.35)


class Picture:
    """An RGB uint8 (height, width, 3) frame on its way into graphs: copied once for all of them."""

    def __init__(self, frame: np.ndarray) -> None:
        mediapipe = _mediapipe()
        self.height, self.width = frame.shape[:2]
        self.packet = mediapipe.packet_creator.create_image_frame(
            data=np.ascontiguousarray(frame), image_format=mediapipe.ImageFormat.SRGB
        )


class PeopleGraph:
    """Where people may be. The model sees the picture at 224 × 224 pixels."""

    def __init__(self) -> None:
        self._graph = _Graph(_PEOPLE, {"people": "list"}, {})

    def find(self, picture: Picture) -> list[tuple[Place, float]]:
        """Places in pixels and how sure each is, from 0.5 to 1; the surest first."""
        found = []
        for detection in self._graph.run({"image": picture.packet}).get("people", []):
            hips, top = (
                (point.x * picture.width, point.y * picture.height)
                for point in detection.location_data.relative_keypoints[:2]
            )
            place = Place.of(hips, top)
            if place.side >= 1:
                found.append((place, float(detection.score[0])))
        return sorted(found, key=lambda pair: -pair[1])

    def close(self) -> None:
        self._graph.close()


class PersonGraph:
    """Points of the person in a place: ``pose`` (33), ``face`` (478), ``left_hand`` and ``right_hand`` (21).

    Face and hands are followed from frame to frame; the place is for the caller to follow (``next_place``).
    """

    PARTS = ("pose", "face", "left_hand", "right_hand")

    def __init__(self) -> None:
        self._graph = _Graph(
            _PERSON,
            dict.fromkeys((*self.PARTS, "next_place"), "one"),
            {"complexity": 1, "segmentation": False, "refine": True},
        )

    def look(self, picture: Picture, place: Place) -> tuple[dict[str, np.ndarray], Place | None]:
        """Each part found: (n, 3) of x, y in pixels and visibility; and where to look in the next frame.

        Nothing and None where the model sees nobody in the place.
        """
        rect = importlib.import_module("mediapipe.framework.formats.rect_pb2").NormalizedRect(
            x_center=place.x / picture.width,
            y_center=place.y / picture.height,
            width=place.side / picture.width,
            height=place.side / picture.height,
            rotation=place.turn,
        )
        creator = _mediapipe().packet_creator
        found = self._graph.run({"image": picture.packet, "place": creator.create_proto(rect)})
        if "pose" not in found or "next_place" not in found:
            return {}, None
        parts = {name: _points(found[name], picture) for name in self.PARTS if name in found}
        hips, top = _points(found["next_place"], picture)[:2, :2].tolist()
        return parts, Place.of(hips, top)

    def forget(self) -> None:
        """Forget the face and the hands followed so far: nothing is seen in black, and nothing remembered.

        The same points come afterwards as from a graph begun anew, which would leave some 9 MB behind each time.
        """
        found, _ = self.look(Picture(np.zeros((64, 64, 3), np.uint8)), Place(32, 32, 64))
        assert not found, "the model sees somebody in black"

    def close(self) -> None:
        self._graph.close()


class HandGraph:
    """One hand in a crop round it: palm first, then its points."""

    def __init__(self) -> None:
        self._graph = _Graph(_HAND, {"hands_found": "list"}, {"complexity": 1, "hands": 1, "follow": False})

    def find(self, crop: np.ndarray) -> np.ndarray | None:
        """(21, 3) of x, y in the crop's pixels and visibility, or None."""
        picture = Picture(crop)
        hands = self._graph.run({"image": picture.packet}).get("hands_found", [])
        return _points(hands[0], picture) if hands else None

    def close(self) -> None:
        self._graph.close()


class _Graph:
    """A MediaPipe graph that is given one picture at a time and answers before the next."""

    def __init__(self, text: str, outputs: dict[str, str], settings: dict[str, int | bool]) -> None:
        mediapipe = _mediapipe()
        creator, getter = mediapipe.packet_creator, mediapipe.packet_getter
        self._graph = mediapipe.calculator_graph.CalculatorGraph(graph_config=text)
        self._found: dict[str, Any] = {}
        self._time = 0
        for name, kind in outputs.items():
            get = getter.get_proto_list if kind == "list" else getter.get_proto
            self._graph.observe_output_stream(name, lambda key, packet, get=get: self._found.update({key: get(packet)}))
        packets: dict[str, Any] = {
            name: creator.create_bool(value) if isinstance(value, bool) else creator.create_int(value)
            for name, value in settings.items()
        }
        self._graph.start_run(packets)
        self._graph.wait_until_idle()  # the models load, and warn, after start_run has returned

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        self._found.clear()
        self._time += 1
        for name, packet in inputs.items():
            self._graph.add_packet_to_input_stream(name, packet.at(self._time))
        self._graph.wait_until_idle()
        return dict(self._found)

    def close(self) -> None:
        self._graph.close()


@dataclass(frozen=True)
class _MediaPipe:
    """What is used of the package."""

    version: str
    calculator_graph: Any
    packet_creator: Any
    packet_getter: Any
    ImageFormat: Any


def mediapipe_version() -> str:
    """Load the package and say its version. Raises UsageError, DeviceError where it does not load."""
    return _mediapipe().version


@functools.cache
def _mediapipe() -> _MediaPipe:
    bindings = "mediapipe.python._framework_bindings"
    try:
        with pyplot_when_used():
            package = importlib.import_module("mediapipe")
        resources = importlib.import_module(f"{bindings}.resource_util")
        loaded = _MediaPipe(
            package.__version__,
            importlib.import_module(f"{bindings}.calculator_graph"),
            importlib.import_module("mediapipe.python.packet_creator"),
            importlib.import_module("mediapipe.python.packet_getter"),
            package.ImageFormat,
        )
    except ImportError as error:
        raise explain_opencv(error) or UsageError(
            f"the detector 'mediapipe' does not load on this machine: {error}",
            "it comes for Python 3.11 and 3.12: pip install mediapipe==0.10.21",
        ) from error
    # The graphs name their models by paths below the folder that holds the package.
    resources.set_resource_dir(str(Path(package.__file__).parent.parent))
    return loaded


def _points(landmarks: Any, picture: Picture) -> np.ndarray:
    """MediaPipe's list (x, y as shares of the picture) → (n, 3) pixels and visibility."""
    return np.array([(p.x * picture.width, p.y * picture.height, p.visibility) for p in landmarks.landmark], np.float32)
