"""DWPose as a detector: YOLOX finds the people, a SimCC network the 133 points of each, both on onnxruntime.

Confidences are the network's. It gives all 133 points always: those below 0.3 are missing. The two pupils, which it
does not know, are its body's eyes.
Source: DWPose (Yang et al., 2023, arXiv 2307.15880); COCO-WholeBody's order of points (Jin et al., 2020).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from magicpose_cli.core.keypoints import FACE_LEFT_EYE, FACE_RIGHT_EYE, LEFT_SHOULDER, NECK, RIGHT_SHOULDER
from magicpose_cli.pose.detector import PersonPose, PoseDetector, check_frame
from magicpose_cli.pose.onnx_network import OnnxNetwork, import_onnxruntime
from magicpose_cli.pose.simcc import BINS, crop, find_points, region_round
from magicpose_cli.pose.yolox import cells, find_boxes, letterboxed

POINTS = 133
# OpenPose's 18 body points among COCO's 17; the neck's place is filled by the shoulders' middle.
BODY_OF_17 = (0, 0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
FEET, FACE, LEFT_HAND, RIGHT_HAND = range(17, 23), range(23, 91), range(91, 112), range(112, 133)
COCO_LEFT_EYE, COCO_RIGHT_EYE = 1, 2

_SEEN = 0.3  # score below which DWPose's own tools take a point for unseen
_PERSON_SCORE = 0.3  # of a box, below which there is nobody
_OVERLAP = 0.45
_CROPS = 16  # people at a time


class DWPoseDetector(PoseDetector):
    """``PoseDetector`` on DWPose's networks. Each frame is searched by itself."""

    name = "dwpose"
    version = "dw-ll_ucoco_384"

    def __init__(self, finder: OnnxNetwork, pointer: OnnxNetwork) -> None:
        """``finder``: YOLOX. ``pointer``: 133 points by ``simcc_x`` and ``simcc_y``."""
        self._finder = finder
        self._pointer = pointer
        self.device = "cpu" if "cpu" in (finder.device, pointer.device) else pointer.device
        self.batch_size = 1 if self.device == "cpu" else 8

    def detect(self, frame: np.ndarray) -> list[PersonPose]:
        return self.detect_batch([frame])[0]

    def detect_batch(self, frames: Sequence[np.ndarray]) -> list[list[PersonPose]]:
        for frame in frames:
            check_frame(frame)
        width, height = self._pointer.width, self._pointer.height
        people: list[list[PersonPose]] = [[] for _ in frames]
        regions = [
            (n, region_round(box, width, height)) for n, boxes in enumerate(self._boxes(frames)) for box in boxes
        ]
        for start in range(0, len(regions), _CROPS):
            some = regions[start : start + _CROPS]
            crops = np.stack([crop(frames[n], region, width, height) for n, region in some])
            simcc_x, simcc_y = self._pointer(crops)
            if simcc_x.shape[1:] != (POINTS, width * BINS) or simcc_y.shape[1:] != (POINTS, height * BINS):
                raise self._pointer.refuse(f"gives {simcc_x.shape[1:]} and {simcc_y.shape[1:]}, not 133 points")
            for (n, region), x, y in zip(some, simcc_x, simcc_y, strict=True):
                person = person_of_133(find_points(x, y, region)).inside(frames[n].shape[1], frames[n].shape[0])
                if person.box is not None:
                    people[n].append(person)
        return people

    def reset(self) -> None:
        """Nothing is remembered from frame to frame."""

    def close(self) -> None:
        """Free the networks; the detector is of no use afterwards."""
        del self._finder, self._pointer

    def _boxes(self, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        """(n, 4) people's boxes in each frame, in its pixels."""
        width, height = self._finder.width, self._finder.height
        pictures, scales = zip(*(letterboxed(frame, width, height) for frame in frames), strict=True)
        output = self._finder(np.stack(pictures))[0]
        if output.ndim != 3 or output.shape[1] != len(cells(width, height)) or output.shape[2] < 6:
            raise self._finder.refuse(f"gives {output.shape}, not YOLOX's boxes")
        return [
            find_boxes(found, width, height, _PERSON_SCORE, _OVERLAP)[:, :4] / scale
            for found, scale in zip(output, scales, strict=True)
        ]


def person_of_133(points: np.ndarray) -> PersonPose:
    """(133, 3) of COCO-WholeBody → a person: body 18, hands 21, face 68 and the pupils. The feet are left out.

    Points below ``_SEEN`` are missing. The neck is the shoulders' middle, as sure as the less sure one, missing where
    one is. A pupil is as sure as its eye, and no surer than the points of the face round it on average.
    """
    points = np.where(points[:, 2:] >= _SEEN, points, np.float32(0))
    body = points[list(BODY_OF_17)]
    right, left = body[RIGHT_SHOULDER], body[LEFT_SHOULDER]
    body[NECK] = (right + left) / 2
    body[NECK, 2] = min(right[2], left[2])
    if body[NECK, 2] <= 0:
        body[NECK] = 0
    face = points[list(FACE)]
    pupils = points[[COCO_RIGHT_EYE, COCO_LEFT_EYE]].copy()
    pupils[:, 2] = np.minimum(pupils[:, 2], [face[eye, 2].mean() for eye in (FACE_RIGHT_EYE, FACE_LEFT_EYE)])
    pupils[pupils[:, 2] < _SEEN] = 0
    return PersonPose(
        body=body,
        left_hand=points[list(LEFT_HAND)],
        right_hand=points[list(RIGHT_HAND)],
        face=np.concatenate([face, pupils]),
    )


def check_package() -> None:
    """Raise UsageError where onnxruntime does not load."""
    import_onnxruntime()


def load(files: Mapping[str, Path], device: str = "auto") -> DWPoseDetector:
    """The detector with the networks in ``files``: ``dwpose-person`` and ``dwpose-points``.

    On CUDA where onnxruntime can use it, else on the CPU. Raises UsageError where onnxruntime does not load,
    IntegrityError where a file is damaged or another network.
    """
    finder = OnnxNetwork(files["dwpose-person"], device)
    return DWPoseDetector(finder, OnnxNetwork(files["dwpose-points"], device, ("simcc_x", "simcc_y")))
