"""Forward kinematics: from proportions and angles to joints in pixels.

A point of the picture is one complex number, x + iy, in pixels from the top left corner, y down. Multiplying
by e^(ia) turns a vector by the angle a clockwise as seen.
"""

import cmath
import math
from dataclasses import dataclass

from magicpose_cli.figures.figure_pose import FigurePose
from magicpose_cli.figures.identity import Proportions

GROUND = 0.972  # where the soles stand, as a share of the picture's height
RIGHT, LEFT = -1, 1  # the person's own sides: the sign of x in the picture


@dataclass(frozen=True)
class Limb:
    """An arm (shoulder, elbow, wrist) or a leg (hip, knee, ankle); ``end`` is the toe, or the middle fingertip."""

    side: int
    root: complex
    middle: complex
    tip: complex
    end: complex
    in_front: bool


@dataclass(frozen=True)
class Head:
    """The head's frame: local (x, y) in half widths and half heights becomes ``centre + (x·w + iy·h)·turn``."""

    centre: complex
    half_width: float
    half_height: float
    rotation: complex  # of length 1
    jaw: float

    def at(self, x: float, y: float) -> complex:
        """The pixel of a point in the head's own units; (0, 1) is the chin."""
        return self.centre + complex(x * self.half_width, y * self.half_height) * self.rotation


@dataclass(frozen=True)
class Skeleton:
    """All joints of one figure in pixels; ``unit`` is the standing figure's height in pixels."""

    unit: float
    neck: complex
    pelvis: complex
    right_arm: Limb
    left_arm: Limb
    right_leg: Limb
    left_leg: Limb
    right_hand: tuple[complex, ...]  # 21
    left_hand: tuple[complex, ...]  # 21
    head: Head
    left_leg_front: bool


def place(proportions: Proportions, pose: FigurePose, size: int) -> Skeleton:
    """The skeleton of a pose in a square picture of ``size`` pixels, the lower foot on the ground."""
    p = proportions
    unit = p.height * size * pose.scale
    upright = cmath.exp(1j * pose.lean)
    half_hips = p.hips * unit * cmath.exp(1j * pose.hip_tilt)
    legs = {}
    for side, hip, knee, thigh_reach, shin_reach in (
        (RIGHT, pose.right_hip, pose.right_knee, pose.right_thigh_reach, pose.right_shin_reach),
        (LEFT, pose.left_hip, pose.left_knee, pose.left_thigh_reach, pose.left_shin_reach),
    ):
        root = side * half_hips
        middle = root + p.thigh * thigh_reach * unit * _down(hip, side)
        tip = middle + p.shin * shin_reach * unit * _down(hip + knee, side)
        end = tip + 1.35 * p.foot * unit * _down(hip + knee + 0.85, side)
        legs[side] = (root, middle, tip, end)

    sole = 0.42 * p.foot * unit
    lowest = max(max(leg[2].imag + 0.8 * p.foot * unit, leg[3].imag + sole) for leg in legs.values())
    pelvis = complex((0.5 + pose.root_x) * size, (GROUND - pose.jump) * size - lowest)
    right_leg, left_leg = (Limb(side, *(pelvis + joint for joint in legs[side]), True) for side in (RIGHT, LEFT))

    neck = pelvis - 1j * p.torso * unit * upright
    half_shoulders = p.shoulders * unit * upright * cmath.exp(1j * pose.shoulder_tilt)
    arms, hands = [], []
    for side, shoulder, elbow, reach, front, wrist, curl, spread, roll in (
        (RIGHT, pose.right_shoulder, pose.right_elbow, pose.right_forearm_reach, pose.right_arm_front,
         pose.right_wrist, pose.right_curl, pose.right_spread, pose.right_roll),
        (LEFT, pose.left_shoulder, pose.left_elbow, pose.left_forearm_reach, pose.left_arm_front,
         pose.left_wrist, pose.left_curl, pose.left_spread, pose.left_roll),
    ):  # fmt: skip
        root = neck + side * half_shoulders
        middle = root + p.upper_arm * unit * upright * _down(shoulder, side)
        tip = middle + p.forearm * reach * unit * upright * _down(shoulder + elbow, side)
        along = upright * _down(shoulder + elbow + wrist, side)
        hand = hand_points(tip, along, p.hand * unit, side, curl, spread, roll)
        arms.append(Limb(side, root, middle, tip, hand[12], front > 0))
        hands.append(hand)

    rotation = upright * cmath.exp(1j * pose.head_tilt)
    half_head = 0.5 * p.head * unit
    centre = neck - 1j * (p.neck * unit * (0.5 * upright + 0.5 * rotation) + half_head * rotation)
    head = Head(centre, p.head_width * unit, half_head, rotation, p.jaw)
    return Skeleton(unit, neck, pelvis, arms[0], arms[1], right_leg, left_leg, hands[0], hands[1], head,
                    pose.left_leg_front > 0)  # fmt: skip


def hand_points(
    wrist: complex, along: complex, length: float, side: int, curl: float, spread: float, roll: float
) -> tuple[complex, ...]:
    """The 21 points of a hand: ``along`` (length 1) points from the wrist to the fingers, ``length`` is wrist to
    middle fingertip. A finger curls out of the picture's plane: its seen length shrinks and turns back.
    """
    across = along * (1j * side) * roll
    points = [wrist]

    def finger(u: float, v: float, angle: float, lengths: tuple[float, ...], bend: float) -> None:
        points.append(wrist + length * (u * along + v * across))
        total = 0.0
        for part in lengths:
            total += bend
            seen = part * math.cos(total)
            u += seen * math.cos(angle)
            v += seen * math.sin(angle)
            points.append(wrist + length * (u * along + v * across))

    finger(0.14, 0.16, 0.75 - 0.5 * curl, (0.2, 0.16, 0.13), 0.6 * curl)
    fan = 0.2 + 0.45 * spread
    for v, reach, place_in_fan in ((0.21, 0.95, 1.0), (0.07, 1.0, 0.33), (-0.07, 0.97, -0.4), (-0.2, 0.82, -1.2)):
        u = 0.44 - 0.25 * abs(v)
        rest = reach - u
        finger(u, v, fan * place_in_fan, (0.42 * rest, 0.32 * rest, 0.26 * rest), 1.15 * curl)
    return tuple(points)


def _down(angle: float, side: int) -> complex:
    """The unit vector at an angle from straight down, outward on this side."""
    return complex(side * math.sin(angle), math.cos(angle))
