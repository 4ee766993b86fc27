"""``FigurePose``: what a figure does, apart from who it is. The same angles fit any proportions."""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class FigurePose:
    """Angles in radians. Limb angles count from hanging straight down, positive away from the body's middle;
    the elbow, knee and wrist add to the angle of the limb above. They lie in the plane of the body, which faces
    the viewer; a ``_forward`` is how far that one part points out of the plane, positive where the person looks
    (the part's seen length is its cosine). The whole body is then turned by ``turn`` about the upright axis.
    ``right_`` is the person's own right, which is at the picture's left while the person faces the viewer.
    Defaults: standing, arms a little apart, a calm face.
    """

    root_x: float = 0.0  # share of the picture's width, to the right
    jump: float = 0.0  # share of the picture's height, above the ground
    scale: float = 1.0
    turn: float = 0.0  # 0 faces the viewer, positive turns to the picture's right, ±pi shows the back
    lean: float = 0.0  # of the torso, positive to the person's left
    shoulder_tilt: float = 0.0  # positive: the person's left shoulder is lower
    hip_tilt: float = 0.0

    right_shoulder: float = 0.25
    right_elbow: float = 0.0
    right_upper_arm_forward: float = 0.0
    right_forearm_forward: float = 0.0
    right_arm_front: float = 1.0  # above 0: the hand is before the body, else behind
    left_shoulder: float = 0.25
    left_elbow: float = 0.0
    left_upper_arm_forward: float = 0.0
    left_forearm_forward: float = 0.0
    left_arm_front: float = 1.0

    right_hip: float = 0.05
    right_knee: float = 0.0
    right_thigh_forward: float = 0.0
    right_shin_forward: float = 0.0
    left_hip: float = 0.05
    left_knee: float = 0.0
    left_thigh_forward: float = 0.0
    left_shin_forward: float = 0.0
    left_leg_front: float = 1.0  # above 0: the left leg is drawn over the right one

    right_wrist: float = 0.0
    right_curl: float = 0.15  # 0 open hand, 1 fist
    right_spread: float = 0.4  # how far the fingers fan out, 0 to 1
    right_roll: float = 0.8  # 1: back of the hand seen, thumb to the body when hanging; -1: palm seen; 0: edge
    left_wrist: float = 0.0
    left_curl: float = 0.15
    left_spread: float = 0.4
    left_roll: float = 0.8

    head_tilt: float = 0.0  # positive to the picture's right
    head_turn: float = 0.0  # positive: looks to the picture's right
    head_nod: float = 0.0  # positive: looks down

    brow_raise: float = 0.0  # -1 to 1
    brow_frown: float = 0.0  # 1: inner ends down (angry), -1: inner ends up (worried)
    eye_open: float = 1.0  # 0 closed to 1.2 wide
    gaze_x: float = 0.0  # -1 to 1, to the picture's right
    gaze_y: float = 0.0  # -1 to 1, down
    mouth_open: float = 0.0  # 0 to 1
    mouth_smile: float = 0.3  # -1 to 1
    mouth_width: float = 0.0  # -1 pout to 1 wide

    def to_vector(self) -> np.ndarray:
        """All values in the order of the fields, float64 (N,): for mixing poses."""
        return np.array([getattr(self, name) for name in FIELD_NAMES])

    @staticmethod
    def from_vector(values: np.ndarray) -> "FigurePose":
        """The pose of a vector made by ``to_vector``."""
        return FigurePose(*(float(v) for v in values))


FIELD_NAMES = tuple(field.name for field in fields(FigurePose))
EXPRESSION_NAMES = FIELD_NAMES[FIELD_NAMES.index("brow_raise") :]
