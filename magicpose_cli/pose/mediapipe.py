"""The embedded detector: MediaPipe Holistic, whose models come inside its wheel (no download).

One person a frame, the most prominent. Body confidences are MediaPipe's visibility: the chance that the point is in
the frame and not hidden. MediaPipe gives none for the points of hands and face: a hand or face that it reports has
confidence 1 at each point. A point outside the picture is missing, however sure MediaPipe is of its guess.
Sources: MediaPipe's charts of pose (33), hand (21) and face mesh (478); OpenPose's output format; iBUG 300-W.
"""

import importlib
from contextlib import nullcontext
from typing import Any

import numpy as np

from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.keypoints import (
    LEFT_EAR,
    LEFT_EYE,
    LEFT_SHOULDER,
    NECK,
    NOSE,
    RIGHT_EAR,
    RIGHT_EYE,
    RIGHT_SHOULDER,
)
from magicpose_cli.core.opencv_guard import explain_opencv
from magicpose_cli.pose.detector import PersonPose, PoseDetector, check_frame
from magicpose_cli.pose.quiet import without_native_noise

# Holistic looks at crops of 192 to 256 pixels, so more than this adds nothing but cost. Measured at 1080 × 1920: half
# the size saves 3 % of the time, and moves faces by 0.8 and limbs by 2 pixels (median).
LONGEST_SIDE = 1920

# OpenPose's 18 body points among MediaPipe's 33; the neck's place is filled by the shoulders' middle.
BODY_OF_33 = (0, 0, 12, 14, 16, 11, 13, 15, 24, 26, 28, 23, 25, 27, 5, 2, 8, 7)

NOSE_TIP, RIGHT_IRIS, LEFT_IRIS = 4, 468, 473  # mesh vertices

# The 68 points of iBUG 300-W and the two pupils on MediaPipe's mesh: the middle of two vertices, or one vertex.
# The jaw is 17 evenly spaced points from the person's right ear to the left one, as 300-W has it; the brows run
# between the mesh's upper and lower row, for the upper one lies above the hair.
FACE_OF_478 = (
    (127, 234), (234, 93), 132, 58, 172, (136, 150), 149, (176, 148), 152,
    (377, 400), 378, (365, 379), 397, 288, 361, (454, 323), (356, 454),
    (70, 46), (63, 53), (105, 52), (66, 65), (107, 55),
    (336, 285), (296, 295), (334, 282), (293, 283), (300, 276),
    168, 197, (195, 5), NOSE_TIP,
    98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144,
    362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
    RIGHT_IRIS, LEFT_IRIS,
)  # fmt: skip
_FACE_PAIRS = np.array([v if isinstance(v, tuple) else (v, v) for v in FACE_OF_478])  # (70, 2)


class MediaPipeDetector(PoseDetector):
    """MediaPipe Holistic as a ``PoseDetector``.

    ``still`` searches each frame afresh (single photos). Otherwise the person is followed from frame to frame, and
    MediaPipe's own filter takes jitter off the body. Raises UsageError where mediapipe does not load, DeviceError where
    OpenCV wants a system library.
    """

    name = "mediapipe"
    finds_many = False

    def __init__(self, *, still: bool = False) -> None:
        self._still = still
        self._used = False
        self._heard_all = False  # MediaPipe's last warnings come with the first face and the first hand
        with without_native_noise():
            package, holistic = _load()
            self.version: str = package.__version__
            self._holistic = holistic.Holistic(
                static_image_mode=still, model_complexity=1, smooth_landmarks=True, refine_face_landmarks=True
            )
            self._warm_up()

    def detect(self, frame: np.ndarray) -> list[PersonPose]:
        """The person in an RGB uint8 (height, width, 3) frame, in its pixels: a list of one, or of none."""
        check_frame(frame)
        if self._still:
            self.reset()  # its own still mode goes on following face and hands
        self._used = True
        with nullcontext() if self._heard_all else without_native_noise():
            found = self._holistic.process(_scaled_down(frame))
        body, left_hand, right_hand, face = (
            None if part is None else _points(part, frame.shape[1], frame.shape[0])
            for part in (
                found.pose_landmarks, found.left_hand_landmarks, found.right_hand_landmarks, found.face_landmarks
            )
        )  # fmt: skip
        self._heard_all |= face is not None and (left_hand is not None or right_hand is not None)
        nobody = PersonPose.empty()
        pose = PersonPose(
            body=nobody.body if body is None else with_head_of_mesh(body_of_33(body), face),
            left_hand=nobody.left_hand if left_hand is None else _present(left_hand),
            right_hand=nobody.right_hand if right_hand is None else _present(right_hand),
            face=nobody.face if face is None else _present(face_of_478(face)),
        ).inside(frame.shape[1], frame.shape[0])
        return [] if pose.box is None else [pose]

    def reset(self) -> None:
        """Forget the person followed so far."""
        if self._used:
            with without_native_noise():
                self._holistic.reset()
                self._warm_up()
            self._used = False

    def close(self) -> None:
        """Free the models; the detector is of no use afterwards."""
        self._holistic.close()

    def _warm_up(self) -> None:
        # The models load on the first frame: give an empty one, in which there is nobody to follow.
        self._holistic.process(np.zeros((64, 64, 3), np.uint8))


def body_of_33(points: np.ndarray) -> np.ndarray:
    """(33, 3) of MediaPipe → (18, 3) of OpenPose; the neck is the shoulders' middle, as sure as the less sure one."""
    body = points[list(BODY_OF_33)]
    right, left = body[RIGHT_SHOULDER], body[LEFT_SHOULDER]
    body[NECK] = (right + left) / 2
    body[NECK, 2] = min(right[2], left[2])
    return body


def with_head_of_mesh(body: np.ndarray, mesh: np.ndarray | None) -> np.ndarray:
    """The (18, 3) body with nose and eyes where the (478, 3) face mesh has them, and the ears moved with the eyes.

    In close-ups the body's own lie up to a third of a face too low. Confidences stay the body's.
    """
    if mesh is None:
        return body
    body = body.copy()
    for eye, ear, iris in ((RIGHT_EYE, RIGHT_EAR, RIGHT_IRIS), (LEFT_EYE, LEFT_EAR, LEFT_IRIS)):
        body[ear, :2] += mesh[iris, :2] - body[eye, :2]
        body[eye, :2] = mesh[iris, :2]
    body[NOSE, :2] = mesh[NOSE_TIP, :2]
    return body


def face_of_478(points: np.ndarray) -> np.ndarray:
    """(478, 3) mesh vertices → (70, 3): iBUG 68 and the pupils."""
    return points[_FACE_PAIRS].mean(axis=1)


def _load() -> tuple[Any, Any]:
    try:
        return importlib.import_module("mediapipe"), importlib.import_module("mediapipe.python.solutions.holistic")
    except ImportError as error:
        raise explain_opencv(error) or UsageError(
            f"the detector 'mediapipe' does not load on this machine: {error}",
            "it comes for Python 3.11 and 3.12: pip install mediapipe==0.10.21",
        ) from error


def _scaled_down(frame: np.ndarray) -> np.ndarray:
    factor = -(-max(frame.shape[:2]) // LONGEST_SIDE)
    if factor == 1:
        return np.ascontiguousarray(frame)
    import cv2

    # A whole factor: averaging over fractions of pixels takes eight times as long.
    height, width = (max(1, side // factor) for side in frame.shape[:2])
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)


def _points(landmarks: Any, width: int, height: int) -> np.ndarray:
    """MediaPipe's list (x, y as shares of the picture) → (n, 3) pixels and visibility."""
    return np.array([(p.x * width, p.y * height, p.visibility) for p in landmarks.landmark], np.float32)


def _present(points: np.ndarray) -> np.ndarray:
    """Confidence 1 for all points of a part that MediaPipe reports."""
    return np.concatenate([points[:, :2], np.ones((len(points), 1), np.float32)], axis=1)
