"""Movements that are not dances, as smooth curves of time: talking, waving, turning, walking.

Each maker draws its numbers once and gives a function of the time in seconds to the values of a ``FigurePose``.
"""

import math
from collections.abc import Callable

import numpy as np

Curve = Callable[[float], dict[str, float]]

_TAU = 2 * math.pi


def talking(chance: np.random.Generator) -> Curve:
    """Stands, sways a little, speaks with the hands."""
    pace, phases = _pace(chance, 0.5, 0.8), chance.uniform(0, _TAU, 6)
    reach = {side: float(chance.uniform(0.1, 1.0)) for side in ("right", "left")}
    turn, level = float(chance.uniform(-0.5, 0.5)), float(chance.uniform(1.3, 2.0))
    steady = _at_ease(chance)

    def at(time: float) -> dict[str, float]:
        beat = _TAU * pace * time
        values = dict(steady)
        for index, side in enumerate(("right", "left")):
            lift = reach[side] * (0.5 + 0.5 * math.sin(0.37 * beat + phases[index]))
            values[f"{side}_shoulder"] = 0.22 + 0.25 * lift
            values[f"{side}_elbow"] = -0.25 + lift * (0.2 - level + 0.35 * math.sin(beat + phases[2 + index]))
            values[f"{side}_upper_arm_forward"] = 0.25 * lift
            values[f"{side}_forearm_forward"] = 0.2 + 0.5 * lift
            values[f"{side}_wrist"] = 0.25 * math.sin(beat + phases[4 + index])
            values[f"{side}_spread"] = 0.4 + 0.4 * lift
            values[f"{side}_curl"] = 0.2 * (1 - lift)
        values["turn"] = turn + 0.12 * math.sin(0.3 * beat + phases[0])
        values["lean"] = 0.03 * math.sin(0.5 * beat + phases[1])
        values["head_nod"] = 0.1 * math.sin(1.3 * beat + phases[2])
        values["head_tilt"] = 0.08 * math.sin(0.6 * beat + phases[3])
        values["head_turn"] = 0.22 * math.sin(0.43 * beat + phases[4]) - 0.4 * turn
        return values

    return at


def waving(chance: np.random.Generator) -> Curve:
    """One hand waves, now and then the arm rests lower."""
    rate, phases = _pace(chance, 1.1, 1.7), chance.uniform(0, _TAU, 4)
    side, other = ("right", "left") if chance.random() < 0.5 else ("left", "right")
    shoulder, width = float(chance.uniform(1.3, 2.0)), float(chance.uniform(0.25, 0.45))
    turn = float(chance.uniform(-0.4, 0.4))
    steady = _at_ease(chance) | {f"{side}_curl": 0.0, f"{side}_spread": float(chance.uniform(0.5, 1)),
                                 f"{side}_forearm_forward": 0.25}  # fmt: skip

    def at(time: float) -> dict[str, float]:
        slow = 0.5 + 0.5 * math.sin(0.5 * time + phases[0])
        swing = math.sin(_TAU * rate * time)
        return steady | {
            f"{side}_shoulder": shoulder - 0.25 * slow,
            f"{side}_elbow": 2.75 - shoulder + width * swing,
            f"{side}_wrist": 0.3 * math.sin(_TAU * rate * time - 0.7),
            f"{other}_shoulder": 0.2 + 0.08 * math.sin(time + phases[1]),
            "turn": turn + 0.1 * math.sin(0.6 * time + phases[2]),
            "lean": 0.04 * math.sin(_TAU * rate * time * 0.5),
            "head_tilt": 0.12 * math.sin(0.8 * time + phases[3]),
            "head_turn": -0.5 * turn,
            "mouth_smile": 0.6 + 0.35 * slow,
        }

    return at


def turning(chance: np.random.Generator) -> Curve:
    """Turns round and round, or to and fro."""
    period, phase = float(chance.uniform(4.5, 7.0)), float(chance.uniform(-0.6, 0.6))
    way, wide = float(chance.choice((-1, 1))), float(chance.uniform(0.8, 1.7))
    round_and_round = bool(chance.random() < 0.5)
    lift = float(chance.uniform(0.0, 0.8))
    steady = _at_ease(chance)

    def at(time: float) -> dict[str, float]:
        cycle = _TAU * time / period
        turn = way * cycle if round_and_round else wide * math.sin(way * cycle)
        ahead = 0.25 * way if round_and_round else 0.25 * way * math.cos(cycle)
        step = math.sin(4 * cycle)
        return steady | {
            "turn": turn + phase,
            "head_turn": ahead,  # the head leads
            "right_shoulder": 0.25 + lift * (0.6 + 0.3 * math.sin(cycle)),
            "left_shoulder": 0.25 + lift * (0.6 - 0.3 * math.sin(cycle)),
            "right_thigh_forward": 0.12 * max(0.0, step) ** 2,
            "right_shin_forward": -0.18 * max(0.0, step) ** 2,
            "left_thigh_forward": 0.12 * max(0.0, -step) ** 2,
            "left_shin_forward": -0.18 * max(0.0, -step) ** 2,
        }

    return at


def walking(chance: np.random.Generator) -> Curve:
    """Walks on the spot, seen from the side, from between or from the front."""
    rate = _pace(chance, 0.6, 0.85)  # double steps a second
    stride, arms = float(chance.uniform(0.35, 0.5)), float(chance.uniform(0.25, 0.5))
    turn = float(chance.choice((-1, 1))) * float(chance.choice((1.5, 1.5, 0.9, 0.25)))
    steady = _at_ease(chance)

    def at(time: float) -> dict[str, float]:
        values = dict(steady)
        for side, phase in (("right", _TAU * rate * time), ("left", _TAU * rate * time + math.pi)):
            thigh = stride * math.sin(phase) + 0.05
            swing = max(0.0, math.cos(phase)) ** 2
            values[f"{side}_thigh_forward"] = thigh
            values[f"{side}_shin_forward"] = thigh - 0.08 - 0.8 * swing
            arm = -arms * math.sin(phase)
            values[f"{side}_upper_arm_forward"] = arm
            values[f"{side}_forearm_forward"] = arm + 0.35
            values[f"{side}_hip"], values[f"{side}_knee"] = 0.03, 0.0
        values["turn"] = turn
        values["shoulder_tilt"] = 0.03 * math.sin(_TAU * rate * time)
        values["head_nod"] = 0.03 * math.sin(2 * _TAU * rate * time)
        return values

    return at


def _pace(chance: np.random.Generator, low: float, high: float) -> float:
    return float(chance.uniform(low, high))


def _at_ease(chance: np.random.Generator) -> dict[str, float]:
    """Standing, arms hanging."""
    values = {"lean": 0.0, "root_x": float(chance.uniform(-0.03, 0.03))}
    for side in ("right", "left"):
        values |= {
            f"{side}_shoulder": float(chance.uniform(0.12, 0.3)),
            f"{side}_elbow": float(chance.uniform(-0.25, 0.0)),
            f"{side}_forearm_forward": 0.2,
            f"{side}_hip": float(chance.uniform(0.02, 0.12)),
            f"{side}_curl": float(chance.uniform(0.1, 0.4)),
            f"{side}_roll": float(chance.choice((-1, 1)) * chance.uniform(0.65, 1.0)),
        }
    return values
