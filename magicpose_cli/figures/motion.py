"""Poses and smooth motions by seed."""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from magicpose_cli.figures.chance import chance_of
from magicpose_cli.figures.figure_pose import FIELD_NAMES, FigurePose
from magicpose_cli.figures.movements import talking, turning, walking, waving

_INDEX = {name: i for i, name in enumerate(FIELD_NAMES)}


MOTION_KINDS = ("dance", "talk", "wave", "turn", "walk")
_KIND_SHARES = (0.34, 0.2, 0.14, 0.16, 0.16)
_MOVEMENTS = {"talk": talking, "wave": waving, "turn": turning, "walk": walking}
FACING = 0.6
"""Radians: up to here to either side a person still faces the viewer, and the face is seen well."""


def random_pose(seed: int, *, facing: bool = False) -> FigurePose:
    """One of very many poses: arms anywhere, legs standing, apart, squatting, stepping or kicking, any expression.

    Seven of ten face the viewer within ``FACING``, two are turned up to the profile, one shows the back; with
    ``facing`` all face the viewer, and are the same in all else.
    """
    chance = chance_of(seed, 304)
    kind, side, share = float(chance.random()), float(chance.choice((-1, 1))), float(chance.random())
    if facing or kind < 0.7:
        turn = FACING * share
    elif kind < 0.9:
        turn = FACING + (math.pi / 2 - FACING) * share
    else:
        turn = math.pi - FACING * share
    return replace(_pose(chance_of(seed, 303)), turn=side * turn)


def make_motion(seed: int, frames: int, fps: Fraction | float = 24, kind: str | None = None) -> list[FigurePose]:
    """A motion of this many frames, of a kind of ``MOTION_KINDS``, by the seed where none is named.

    Joints move at most about 1.5 heights of the figure a second, at any rate. The first frames of a longer motion are
    those of a shorter one.
    """
    if kind is None:
        kind = str(chance_of(seed, 402).choice(MOTION_KINDS, p=_KIND_SHARES))
    if kind == "dance":
        return _dance(seed, frames, fps)
    chance = chance_of(seed, 403)
    curve, face = _MOVEMENTS[kind](chance), _expression(chance)
    mimic, blink = _mimic(chance, 1.0 if kind == "talk" else 0.5), _blinks(chance)
    poses = []
    for frame in range(frames):
        time = frame / float(fps)
        values = face | mimic(time, face) | curve(time)
        values["eye_open"] *= blink(time)
        poses.append(FigurePose(**values))
    return poses


def _mimic(chance: np.random.Generator, strength: float) -> Callable[[float, dict[str, float]], dict[str, float]]:
    """A speaking mouth, brows that go with it, and eyes that wander."""
    rate, phases = float(chance.uniform(1.8, 2.6)), chance.uniform(0, 2 * math.pi, 6)
    speaks = strength * float(chance.uniform(0.6, 1.0)) if strength == 1 or chance.random() < 0.5 else 0.0

    def at(time: float, face: dict[str, float]) -> dict[str, float]:
        syllable = max(0.0, math.sin(2 * math.pi * rate * time)) * (0.65 + 0.35 * math.sin(1.7 * time + phases[0]))
        vowel = math.sin(2 * math.pi * 0.43 * rate * time + phases[1])
        return {
            "mouth_open": face["mouth_open"] * (1 - speaks) + speaks * syllable,
            "mouth_width": face["mouth_width"] * (1 - 0.7 * speaks) + 0.7 * speaks * vowel,
            "mouth_smile": face["mouth_smile"] + 0.3 * math.sin(0.9 * time + phases[2]),
            "brow_raise": face["brow_raise"] + 0.45 * math.sin(1.3 * time + phases[3]),
            "brow_frown": face["brow_frown"] + 0.25 * math.sin(0.8 * time + phases[4]),
            "gaze_x": 0.6 * face["gaze_x"] + 0.4 * math.sin(0.7 * time + phases[5]),
        }

    return at


def _blinks(chance: np.random.Generator) -> Callable[[float], float]:
    """How far the lids are open over time: 1, and nearly 0 at each blink."""
    first, every = float(chance.uniform(0.3, 2)), float(chance.uniform(2.2, 3.6))
    return lambda time: 1 - math.exp(-(((((time - first) % every) - 0.15) / 0.07) ** 2))


def _dance(seed: int, frames: int, fps: Fraction | float) -> list[FigurePose]:
    """Keyframes on a beat, smooth between them, with a bounce, blinks and a talking mouth."""
    chance = chance_of(seed, 404)
    beat = float(chance.uniform(0.7, 1.05))  # seconds from one keyframe to the next
    bounce, sway = float(chance.uniform(0.004, 0.012)), float(chance.uniform(0.01, 0.04))
    talk_rate, talk_share = float(chance.uniform(2.2, 3.2)), float(chance.uniform(0, 1))
    phases = chance.uniform(0, 2 * math.pi, 4)
    blink = _blinks(chance)
    facing, round_about = float(chance.uniform(-0.4, 0.4)), float(chance.uniform(0, 0.7))
    steady = {"right_arm_front": 1.0 if chance.random() < 0.8 else -1.0,
              "left_arm_front": 1.0 if chance.random() < 0.8 else -1.0,
              "left_leg_front": 1.0 if chance.random() < 0.5 else -1.0,
              "scale": float(chance.uniform(0.97, 1.02))}  # fmt: skip
    keys: list[np.ndarray] = []
    poses = []
    for frame in range(frames):
        time = frame / float(fps)
        place = time / beat
        while len(keys) < int(place) + 2:
            # each keyframe has its own seed, so the length asked for changes nothing
            key = replace(_pose(chance_of(seed, 405 + len(keys))), **steady).to_vector()
            keys.append(key if not keys else _toward(keys[-1], key))
        start = int(place)
        values = keys[start] + (keys[start + 1] - keys[start]) * _ease(place - start)
        swing = 2 * math.pi * time / (2 * beat)
        values[_INDEX["root_x"]] += 0.5 * sway * math.sin(swing + phases[0])
        values[_INDEX["lean"]] += sway * math.sin(swing + phases[1])
        values[_INDEX["head_tilt"]] += 2 * sway * math.sin(swing + phases[2])
        values[_INDEX["jump"]] = bounce * (1 - math.cos(2 * swing))
        talk = max(0.0, math.sin(2 * math.pi * talk_rate * time)) * (0.5 + 0.5 * math.sin(0.9 * time + phases[3]))
        mouth = values[_INDEX["mouth_open"]]
        values[_INDEX["mouth_open"]] = min(1.0, mouth * (1 - talk_share) + 0.9 * talk_share * talk)
        values[_INDEX["eye_open"]] *= blink(time)
        values[_INDEX["turn"]] = facing + round_about * math.sin(0.35 * swing + phases[2])
        poses.append(FigurePose.from_vector(values))
    return poses


def _pose(chance: np.random.Generator) -> FigurePose:
    def uniform(low: float, high: float) -> float:
        return float(chance.uniform(low, high))

    values = {"root_x": uniform(-0.05, 0.05), "scale": uniform(0.95, 1.02), "lean": float(chance.normal(0, 0.11)),
              "shoulder_tilt": uniform(-0.14, 0.14), "hip_tilt": uniform(-0.1, 0.1),
              "jump": uniform(0, 0.04) if chance.random() < 0.2 else 0.0}  # fmt: skip
    values["lean"] = min(0.3, max(-0.3, values["lean"]))
    mirrored = chance.random() < 0.25  # both arms alike
    right = _arm(chance)
    left = dict(right) if mirrored else _arm(chance)
    for side, arm in (("right", right), ("left", left)):
        values |= {f"{side}_{name}": value for name, value in arm.items()}
    values |= _legs(chance)
    values["left_leg_front"] = 1.0 if chance.random() < 0.5 else -1.0
    values |= {"head_tilt": uniform(-0.25, 0.25) - 0.5 * values["lean"], "head_turn": uniform(-0.38, 0.38),
               "head_nod": uniform(-0.18, 0.2)}  # fmt: skip
    return FigurePose(**values, **_expression(chance))


def _arm(chance: np.random.Generator) -> dict[str, float]:
    """Shoulder, elbow and hand of one arm, without its side."""
    kind = chance.random()
    if kind < 0.13:  # hanging
        shoulder, elbow = chance.uniform(0.08, 0.6), chance.uniform(-0.5, 0.15)
    elif kind < 0.36:  # hand on the hip, or in front of the belly or chest
        shoulder, elbow = chance.uniform(0.45, 1.05), chance.uniform(-2.3, -1.2)
    elif kind < 0.58:  # up
        shoulder, elbow = chance.uniform(1.9, 2.6), chance.uniform(-0.5, 0.55)
    elif kind < 0.76:  # a hand up beside the head
        shoulder, elbow = chance.uniform(0.5, 1.4), chance.uniform(1.2, 2.2)
    else:  # out to the side
        shoulder, elbow = chance.uniform(1.0, 1.9), chance.uniform(-1.4, 1.0)
    fist = chance.random() < 0.3
    return {
        "shoulder": float(shoulder),
        "elbow": float(elbow),
        "upper_arm_forward": float(chance.uniform(-0.15, 0.5)),
        "forearm_forward": float(chance.uniform(0.0, 0.75)),
        "arm_front": -1.0 if kind < 0.36 and chance.random() < 0.35 else 1.0,
        "wrist": float(chance.uniform(-0.45, 0.45)),
        "curl": float(chance.uniform(0.8, 1.0) if fist else chance.uniform(0, 0.25)),
        "spread": float(chance.uniform(0.1, 1.0)),
        "roll": float(chance.choice((-1, 1)) * chance.uniform(0.65, 1.0)),
    }


def _legs(chance: np.random.Generator) -> dict[str, float]:
    """Both legs. ``thigh`` and ``shin`` are their seen lengths: the thigh points forward, the shin back."""

    def leg(hip: float, knee: float, thigh: float = 1.0, shin: float = 1.0) -> dict[str, float]:
        forward, back = math.acos(thigh), -math.acos(shin)
        return {"hip": float(hip), "knee": float(knee), "thigh_forward": forward, "shin_forward": back}

    def standing() -> dict[str, float]:
        return leg(chance.uniform(0.0, 0.16), chance.uniform(-0.12, 0.06))

    kind = chance.random()
    if kind < 0.24:
        first, second = standing(), standing()
    elif kind < 0.46:  # wide
        first, second = (leg(chance.uniform(0.25, 0.55), chance.uniform(-0.35, 0.05)) for _ in range(2))
    elif kind < 0.62:  # squat
        hip, knee = chance.uniform(0.5, 1.0), chance.uniform(-1.15, -0.7)
        first = leg(hip, knee * chance.uniform(0.9, 1.1), chance.uniform(0.7, 1))
        second = leg(hip * chance.uniform(0.8, 1.1), knee, chance.uniform(0.7, 1))
    elif kind < 0.78:  # one knee up
        first = standing()
        second = leg(chance.uniform(0.5, 1.35), chance.uniform(-2.0, -1.1), chance.uniform(0.65, 0.95))
    elif kind < 0.9:  # kick
        first, second = standing(), leg(chance.uniform(0.65, 1.25), chance.uniform(-0.35, 0.15))
    else:  # lunge
        first = leg(chance.uniform(0.4, 0.75), chance.uniform(-0.1, 0.05))
        second = leg(chance.uniform(0.5, 0.9), chance.uniform(-1.0, -0.6))
    if chance.random() < 0.5:
        first, second = second, first
    return {f"right_{n}": v for n, v in first.items()} | {f"left_{n}": v for n, v in second.items()}


def _expression(chance: np.random.Generator) -> dict[str, float]:
    talking = chance.random() < 0.42
    lids = chance.random()
    eyes = 0.04 if lids < 0.07 else chance.uniform(0.35, 0.6) if lids < 0.17 else chance.uniform(0.7, 1.2)
    return {
        "brow_raise": float(chance.uniform(-0.8, 1.2)),
        "brow_frown": float(chance.choice((-1, 0, 1)) * chance.uniform(0.1, 1.0)),
        "eye_open": float(eyes),
        "gaze_x": float(chance.uniform(-1, 1)),
        "gaze_y": float(chance.uniform(-0.7, 0.7)),
        "mouth_open": float(chance.uniform(0.25, 1.0)) if talking else 0.0,
        "mouth_smile": float(chance.uniform(-0.8, 1.0)),
        "mouth_width": float(chance.uniform(-1.0, 0.9)),
    }


def _toward(before: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """The goal, nearer where a joint would have to turn by more than 2.2 radians within one beat."""
    return before + np.clip(goal - before, -2.2, 2.2)


def _ease(share: float) -> float:
    return share * share * (3 - 2 * share)
