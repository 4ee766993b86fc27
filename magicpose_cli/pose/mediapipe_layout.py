"""MediaPipe's points (pose 33, face mesh 478) → ours: body 18, face 70.

Sources: MediaPipe's charts of pose and face mesh; OpenPose's output format; iBUG 300-W.
"""

import numpy as np

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
