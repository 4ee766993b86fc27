"""Forward kinematics: from proportions and angles to joints in pixels.

A point of the picture is one complex number, x + iy, in pixels from the top left corner, y down. Multiplying
by e^(ia) turns a vector by the angle a clockwise as seen. A point of the body is such a number in the plane of the
body, and its height above that plane, positive where the person looks.
"""

import cmath
import math
from dataclasses import dataclass

import numpy as np

from magicpose_cli.figures.figure_pose import FigurePose
from magicpose_cli.figures.identity import Proportions, View

GROUND = 0.972  # where the soles stand, as a share of the whole scene's height
RIGHT, LEFT = -1, 1  # the person's own sides: the sign of x in the picture while they face the viewer


@dataclass(frozen=True)
class Limb:
    """An arm (shoulder, elbow, wrist) or a leg (hip, knee, ankle); ``end`` is the toe, or the middle fingertip."""

    side: int
    root: complex
    middle: complex
    tip: complex
    end: complex
    depth: float  # of the limb's outer half towards the viewer, from the body's axis, in units of the figure's height


@dataclass(frozen=True)
class Head:
    """The head's frame: local (x, y) in half widths and half heights becomes ``centre + (x·w + iy·h)·turn``."""

    centre: complex
    half_width: float
    half_height: float
    rotation: complex  # of length 1
    jaw: float
    yaw: float  # 0 faces the viewer, positive to the picture's right, within ±pi
    nod: float

    def at(self, x: float, y: float) -> complex:
        """The pixel of a point in the head's own units; (0, 1) is the chin."""
        return self.centre + complex(x * self.half_width, y * self.half_height) * self.rotation

    def round_points(self, angle: np.ndarray, y: np.ndarray, radius: np.ndarray | float) -> np.ndarray:
        """Pixels of points round the upright axis: ``angle`` from the viewer's direction, towards picture's right."""
        turned_y = y + 0.8 * math.sin(self.nod) * radius * np.cos(angle)
        local = radius * np.sin(angle) * self.half_width + 1j * turned_y * self.half_height
        return self.centre + local * self.rotation


@dataclass(frozen=True)
class Skeleton:
    """All joints of one figure in pixels; ``unit`` is the standing figure's height in pixels."""

    unit: float
    turn: float
    neck: complex
    pelvis: complex
    right_arm: Limb
    left_arm: Limb
    right_leg: Limb
    left_leg: Limb
    right_hand: np.ndarray  # (21,) complex
    left_hand: np.ndarray  # (21,) complex
    head: Head
    ground: float  # the floor's place under the figure


@dataclass(frozen=True)
class _Solid:
    """A point or a direction of the body: in its plane, and out of it."""

    flat: complex
    out: float

    def __add__(self, other: "_Solid") -> "_Solid":
        return _Solid(self.flat + other.flat, self.out + other.out)

    def __mul__(self, scale: float) -> "_Solid":
        return _Solid(self.flat * scale, self.out * scale)


def place(proportions: Proportions, pose: FigurePose, size: int, view: View | None = None) -> Skeleton:
    """The skeleton of a pose in a square picture of ``size`` pixels, the lower foot on the ground."""
    p, view = proportions, view or View()
    unit = p.height * size * pose.scale * view.zoom
    cosine, sine = math.cos(pose.turn), math.sin(pose.turn)

    def seen(point: _Solid) -> complex:
        return complex(point.flat.real * cosine + point.out * sine, point.flat.imag)

    def depth(point: _Solid) -> float:
        return point.out * cosine - point.flat.real * sine

    legs = {}
    half_hips = p.hips * cmath.exp(1j * pose.hip_tilt)
    for side, hip, knee, thigh_forward, shin_forward in (
        (RIGHT, pose.right_hip, pose.right_knee, pose.right_thigh_forward, pose.right_shin_forward),
        (LEFT, pose.left_hip, pose.left_knee, pose.left_thigh_forward, pose.left_shin_forward),
    ):
        root = _Solid(side * half_hips, 0.0)
        middle = root + _part(_down(hip, side), thigh_forward) * p.thigh
        tip = middle + _part(_down(hip + knee, side), shin_forward) * p.shin
        # A foot points down its shin's way, outward and forward.
        forward = _part(_down(hip + knee, side), shin_forward + math.pi / 2)
        end = tip + _part(_down(hip + knee + 0.85, side), shin_forward) * (1.35 * p.foot) + forward * (1.5 * p.foot)
        legs[side] = (root, middle, tip, end)
    sole = 0.42 * p.foot
    lowest = max(max(leg[2].flat.imag + 0.8 * p.foot, leg[3].flat.imag + sole) for leg in legs.values())
    standing = p.thigh + p.shin + 1.3 * p.foot
    drop = standing + view.bob * (lowest - standing)
    ground = ((GROUND - view.y) * view.zoom + 0.5) * size
    x = ((0.5 + pose.root_x - view.x) * view.zoom + 0.5) * size
    pelvis = complex(x, ground - view.bob * pose.jump * view.zoom * size - drop * unit)

    def limb(side: int, joints: tuple[_Solid, ...], nearer: float) -> Limb:
        where = [pelvis + unit * seen(joint) for joint in joints]
        near = 0.5 * (depth(joints[1]) + depth(joints[2])) + nearer * cosine
        return Limb(side, where[0], where[1], where[2], where[3], near)

    leg_front = 0.01 if pose.left_leg_front > 0 else -0.01
    right_leg, left_leg = limb(RIGHT, legs[RIGHT], -leg_front), limb(LEFT, legs[LEFT], leg_front)

    upright = cmath.exp(1j * pose.lean)
    neck = _Solid(-1j * p.torso * upright, 0.0)
    half_shoulders = p.shoulders * upright * cmath.exp(1j * pose.shoulder_tilt)
    arms, hands = [], []
    for side, shoulder, elbow, upper_forward, forward, front, wrist, curl, spread, roll in (
        (RIGHT, pose.right_shoulder, pose.right_elbow, pose.right_upper_arm_forward, pose.right_forearm_forward,
         pose.right_arm_front, pose.right_wrist, pose.right_curl, pose.right_spread, pose.right_roll),
        (LEFT, pose.left_shoulder, pose.left_elbow, pose.left_upper_arm_forward, pose.left_forearm_forward,
         pose.left_arm_front, pose.left_wrist, pose.left_curl, pose.left_spread, pose.left_roll),
    ):  # fmt: skip
        before = 0.05 if front > 0 else -0.09  # a hand on the belly lies before it, by half the body's thickness
        root = neck + _Solid(side * half_shoulders, 0.0)
        middle = root + _part(upright * _down(shoulder, side), upper_forward) * p.upper_arm + _Solid(0j, 0.3 * before)
        tip = middle + _part(upright * _down(shoulder + elbow, side), forward) * p.forearm + _Solid(0j, 0.7 * before)
        flat = upright * _down(shoulder + elbow + wrist, side)
        points = hand_points(tip.flat, tip.out, flat, 0.7 * forward, p.hand, side, curl, spread, roll)
        hand = pelvis + unit * (points[:, 0] * cosine + points[:, 2] * sine + 1j * points[:, 1])
        end = _Solid(complex(points[12, 0], points[12, 1]), float(points[12, 2]))
        arms.append(limb(side, (root, middle, tip, end), 0.0))
        hands.append(hand)

    tilt = cmath.exp(1j * pose.head_tilt)
    half_head = 0.5 * p.head * unit
    lean = cmath.exp(1j * pose.lean * cosine)
    neck_seen = pelvis + unit * seen(neck)
    centre = neck_seen - 1j * (p.neck * unit * 0.5 * lean * (1 + tilt) + half_head * lean * tilt)
    yaw = math.remainder(pose.turn + pose.head_turn, 2 * math.pi)
    head = Head(centre, p.head_width * unit, half_head, lean * tilt, p.jaw, yaw, pose.head_nod)
    return Skeleton(unit, pose.turn, neck_seen, pelvis, arms[0], arms[1], right_leg, left_leg, hands[0], hands[1],
                    head, ground)  # fmt: skip


def hand_points(
    wrist: complex,
    out: float,
    along: complex,
    forward: float,
    length: float,
    side: int,
    curl: float,
    spread: float,
    roll: float,
) -> np.ndarray:
    """The 21 points of a hand, (21, 3): x, y and out of the plane, in the unit of ``length`` (wrist to middle
    fingertip). ``along`` (length 1, in the plane) and ``forward`` say where the fingers point; ``roll`` is the cosine
    of the turn about that line. Fingers curl to the palm's side.
    """
    local = [(0.0, 0.0, 0.0)]

    def finger(u: float, v: float, angle: float, lengths: tuple[float, ...], bend: float) -> None:
        local.append((u, v, 0.0))
        total, w = 0.0, 0.0
        for part in lengths:
            total += bend
            u += part * math.cos(total) * math.cos(angle)
            v += part * math.cos(total) * math.sin(angle)
            w += part * math.sin(total)
            local.append((u, v, w))

    finger(0.14, 0.16, 0.75 - 0.5 * curl, (0.2, 0.16, 0.13), 0.6 * curl)
    fan = 0.2 + 0.45 * spread
    for v, reach, place_in_fan in ((0.21, 0.95, 1.0), (0.07, 1.0, 0.33), (-0.07, 0.97, -0.4), (-0.2, 0.82, -1.2)):
        u = 0.44 - 0.25 * abs(v)
        rest = reach - u
        finger(u, v, fan * place_in_fan, (0.42 * rest, 0.32 * rest, 0.26 * rest), 1.15 * curl)

    edge = math.sqrt(max(0.0, 1 - roll * roll))
    side_way = along * 1j * side
    ahead = math.cos(forward) * along
    normal, normal_out = -math.sin(forward) * along, math.cos(forward)
    across, palm = roll * side_way + edge * normal, edge * side_way - roll * normal
    axes = np.array([
        (ahead.real, ahead.imag, math.sin(forward)),
        (across.real, across.imag, edge * normal_out),
        (palm.real, palm.imag, -roll * normal_out),
    ])  # fmt: skip
    return (wrist.real, wrist.imag, out) + length * (np.array(local) @ axes)


def _part(direction: complex, forward: float) -> _Solid:
    """A direction in the body's plane, lifted out of it by an angle."""
    return _Solid(direction * math.cos(forward), math.sin(forward))


def _down(angle: float, side: int) -> complex:
    """The unit vector at an angle from straight down, outward on this side."""
    return complex(side * math.sin(angle), math.cos(angle))
