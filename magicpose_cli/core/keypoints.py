"""The keypoint layout: OpenPose body 18 (COCO order), 21 a hand, 70 of the face.

Source: OpenPose output format; ControlNet's OpenPose drawing, on which the networks were trained.
Left and right are the person's own.
"""

BODY_NAMES = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist",
    "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle",
    "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip

NOSE, NECK = 0, 1
RIGHT_SHOULDER, RIGHT_ELBOW, RIGHT_WRIST = 2, 3, 4
LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST = 5, 6, 7
RIGHT_HIP, RIGHT_KNEE, RIGHT_ANKLE = 8, 9, 10
LEFT_HIP, LEFT_KNEE, LEFT_ANKLE = 11, 12, 13
RIGHT_EYE, LEFT_EYE, RIGHT_EAR, LEFT_EAR = 14, 15, 16, 17

BODY_COUNT, HAND_COUNT, FACE_COUNT = 18, 21, 70

BODY_THRESHOLD = 0.3
"""Body points of lower confidence count as not seen and are not drawn: a guessed limb misleads the network more than a
missing one."""
DETAIL_THRESHOLD = 0.05
"""The same for hands and face: detectors take away what their networks call unseen, and OpenPose's scores run low."""

SIDES = tuple(
    (BODY_NAMES.index(name), BODY_NAMES.index(name.replace("right", "left"))) for name in BODY_NAMES if "right" in name
)
BODY_MIRRORED = (0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16)  # body[...] swaps left and right

# Hand: 0 wrist; thumb 1-4, index 5-8, middle 9-12, ring 13-16, little 17-20, each from the palm outward.
HAND_BONES = tuple((0 if i % 4 == 1 else i - 1, i) for i in range(1, HAND_COUNT))

# Face: the 68 points of iBUG 300-W, then the right and the left pupil (the person's own sides).
FACE_JAW = range(0, 17)
FACE_RIGHT_BROW = range(17, 22)
FACE_LEFT_BROW = range(22, 27)
FACE_NOSE = range(27, 36)
FACE_RIGHT_EYE = range(36, 42)
FACE_LEFT_EYE = range(42, 48)
FACE_MOUTH_OUTER = range(48, 60)
FACE_MOUTH_INNER = range(60, 68)
FACE_RIGHT_PUPIL, FACE_LEFT_PUPIL = 68, 69
