"""People whose bodies and faces differ as much as people's do: children's heads, long legs, narrow eyes."""

from dataclasses import replace

import numpy as np

from magicpose_cli.figures.body import GROUND
from magicpose_cli.figures.chance import chance_of
from magicpose_cli.figures.identity import FaceShape, Identity, Proportions, View
from magicpose_cli.figures.scene import random_identity


def person_of_shape(seed: int, *, close_up: bool) -> Identity:
    """The seed's person with a body and a face of their own, seen head to toe or (``close_up``) down to the hips.

    ``random_identity`` varies lengths by some hundredths around a middling body and gives all the same face; here
    limbs vary by a fifth, and heads from an adult's to a small child's.
    """
    chance = chance_of(seed, 505)
    proportions = _proportions(chance, random_identity(seed).proportions)
    aside = float(chance.uniform(-0.1, 0.1))
    if close_up:
        zoom = float(chance.uniform(0.22, 0.4)) / (proportions.head * proportions.height)
        above = float(chance.uniform(0.06, 0.2))  # room over the head, as a share of the picture
        view = View(zoom, 0.5 + aside / zoom, GROUND - proportions.height + (0.5 - above) / zoom, 0.12)
    else:
        zoom = float(chance.uniform(0.65, 1.0))
        view = View(zoom, 0.5 + aside / zoom, GROUND - float(chance.uniform(0.4, 0.47)) / zoom)
    return replace(random_identity(seed), proportions=proportions, face=_face(chance), view=view)


def _proportions(chance: np.random.Generator, middling: Proportions) -> Proportions:
    def near(value: float, spread: float) -> float:
        return value * (1 + spread * float(chance.uniform(-1, 1)))

    child = float(chance.random()) ** 2  # 0 an adult, 1 a small child
    head, neck, torso = near(0.185 + 0.09 * child, 0.08), near(0.04 - 0.014 * child, 0.3), near(0.26, 0.12)
    legs = 1 - 0.2 * child
    thigh, shin, foot = near(0.225 * legs, 0.12), near(0.215 * legs, 0.12), 0.042
    total = head + neck + torso + thigh + shin + foot
    arms = near(1 - 0.1 * child, 0.12)
    return replace(
        middling,
        height=near(0.86 - 0.25 * child, 0.05),
        head=head / total,
        head_width=head / total * near(0.44, 0.1),
        neck=neck / total,
        torso=torso / total,
        shoulders=near(0.1 - 0.012 * child, 0.2),
        hips=near(0.05, 0.2),
        upper_arm=near(0.15, 0.1) * arms,
        forearm=near(0.137, 0.1) * arms,
        hand=near(0.095, 0.08) * arms,
        thigh=thigh / total,
        shin=shin / total,
        foot=foot / total,
        jaw=float(chance.uniform(0.65, 1.15)),
    )


def _face(chance: np.random.Generator) -> FaceShape:
    def near(value: float, spread: float) -> float:
        return value * (1 + spread * float(chance.uniform(-1, 1)))

    eye_y = 0.09 + float(chance.uniform(-0.05, 0.07))
    return FaceShape(
        eye_x=near(0.43, 0.12),
        eye_y=eye_y,
        eye_width=near(0.23, 0.15),
        eye_height=near(0.18, 0.25),
        brow_y=eye_y - near(0.33, 0.15),
        nose_width=near(1.0, 0.25),
        nose_length=near(1.0, 0.2),
        mouth_y=near(0.63, 0.06),
        mouth_width=near(0.3, 0.2),
    )
