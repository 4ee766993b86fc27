"""Who stands before what: identities drawn by chance from a seed."""

import colorsys
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from magicpose_cli.figures.identity import BOTTOM_KINDS, HAIR_STYLES, TOP_PATTERNS, Colour, Identity, Proportions

_SKINS = ((255, 222, 196), (246, 205, 172), (232, 184, 144), (214, 160, 116), (188, 132, 90), (154, 101, 66),
          (118, 76, 50), (88, 56, 40))  # fmt: skip
_HAIRS = ((30, 26, 28), (58, 38, 28), (96, 60, 36), (140, 74, 36), (196, 96, 44), (226, 186, 108), (244, 222, 160),
          (168, 166, 168), (228, 228, 226))  # fmt: skip
_BRIGHT_HAIRS = ((226, 96, 150), (70, 130, 214), (60, 176, 160), (140, 90, 190))
_EYES = ((70, 44, 26), (44, 30, 24), (64, 110, 170), (70, 130, 80), (110, 120, 130))
_NEUTRALS = ((242, 240, 234), (62, 62, 70), (150, 150, 156), (36, 44, 72), (212, 190, 154))


def random_identity(seed: int) -> Identity:
    """The person of this seed: the same one on each call, told apart from others by skin, hair and clothes."""
    chance = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, 101))))
    skin = _skin(chance)
    top, top_hue = _cloth(chance, None, skin)
    bottom, _ = _cloth(chance, top_hue, skin)
    shoes, _ = _cloth(chance, None)
    pattern_colour, _ = _cloth(chance, top_hue, skin)
    if _distance(top, pattern_colour) < 110:
        pattern_colour = (250, 248, 240) if sum(top) < 420 else (44, 48, 84)
    style = str(chance.choice(HAIR_STYLES, p=(0.14, 0.1, 0.12, 0.13, 0.15, 0.09, 0.08, 0.07, 0.05, 0.07)))
    gown_possible = style in ("bob", "long", "bun", "ponytail", "afro")
    kind = str(chance.choice(BOTTOM_KINDS, p=(0.4, 0.2, 0.24, 0.16) if gown_possible else (0.66, 0.34, 0, 0)))
    bright = chance.random() < 0.14
    return Identity(
        skin=skin,
        hair=_jitter(_pick(chance, _BRIGHT_HAIRS if bright else _HAIRS), 10, chance),
        hair_style=style,
        eyes=_pick(chance, _EYES),
        beard=bool(chance.random() < 0.25) and style in ("short", "spiky", "parted", "bald", "cap"),
        glasses=bool(chance.random() < 0.1),
        top=top,
        top_pattern=str(chance.choice(TOP_PATTERNS, p=(0.32, 0.22, 0.16, 0.18, 0.12))),
        pattern_colour=pattern_colour,
        long_sleeves=bool(chance.random() < 0.5),
        bottom=top if kind == "dress" else bottom,
        bottom_kind=kind,
        shoes=shoes,
        cap=_cloth(chance, None)[0],
        proportions=_proportions(chance),
        background=int(chance.integers(2**31)),
    )


def with_background(identity: Identity, seed: int) -> Identity:
    """The same person before the background of another seed."""
    return replace(identity, background=seed)


def _proportions(chance: np.random.Generator) -> Proportions:
    # people vary by some hundredths around a body whose parts add up to 1
    def near(value: float, spread: float) -> float:
        return value * (1 + spread * float(chance.uniform(-1, 1)))

    head, neck, torso = near(0.212, 0.05), near(0.036, 0.25), near(0.255, 0.07)
    thigh, shin, foot = near(0.222, 0.07), near(0.215, 0.07), 0.042
    total = head + neck + torso + thigh + shin + foot
    stout = float(chance.uniform(-1, 1))
    shoulders = near(0.098, 0.12) * (1 + 0.08 * stout)
    return Proportions(
        height=float(chance.uniform(0.84, 0.905)),
        head=head / total,
        head_width=head / total * near(0.455, 0.05),
        neck=neck / total,
        neck_radius=near(0.03, 0.12),
        torso=torso / total,
        shoulders=shoulders,
        waist=near(0.84, 0.1) + 0.1 * stout,
        hips=near(0.05, 0.12) * (1 + 0.12 * stout),
        upper_arm=near(0.148, 0.08),
        forearm=near(0.136, 0.08),
        hand=near(0.095, 0.06),
        arm_radius=near(0.0265, 0.1) * (1 + 0.16 * stout),
        thigh=thigh / total,
        shin=shin / total,
        foot=foot / total,
        leg_radius=near(0.039, 0.1) * (1 + 0.16 * stout),
        jaw=float(chance.uniform(0.74, 1.08)),
    )


def _pick(chance: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    return colours[int(chance.integers(len(colours)))]


def _skin(chance: np.random.Generator) -> Colour:
    place = float(chance.uniform(0, len(_SKINS) - 1))
    low = min(int(place), len(_SKINS) - 2)
    mixed = (a + (b - a) * (place - low) for a, b in zip(_SKINS[low], _SKINS[low + 1], strict=True))
    return _rounded(mixed)


def _cloth(
    chance: np.random.Generator, away_from: float | None, skin: Colour | None = None
) -> tuple[Colour, float | None]:
    """A clothes colour and its hue (None: a neutral), at a distance from another hue and from the skin."""
    colour, hue = _any_cloth(chance, away_from)
    while skin is not None and _distance(colour, skin) < 75:
        colour, hue = _any_cloth(chance, away_from)
    return colour, hue


def _any_cloth(chance: np.random.Generator, away_from: float | None) -> tuple[Colour, float | None]:
    if chance.random() < 0.22:
        return _jitter(_pick(chance, _NEUTRALS), 8, chance), None
    hue = float(chance.random())
    if away_from is not None:
        hue = (away_from + float(chance.uniform(0.2, 0.8))) % 1
    rgb = colorsys.hsv_to_rgb(hue, float(chance.uniform(0.5, 0.88)), float(chance.uniform(0.42, 0.95)))
    return _rounded(255 * c for c in rgb), hue


def _jitter(colour: Colour, spread: float, chance: np.random.Generator) -> Colour:
    return _rounded(c + float(chance.uniform(-spread, spread)) for c in colour)


def _rounded(values: Iterable[float]) -> Colour:
    red, green, blue = (int(min(255, max(0, round(v)))) for v in values)
    return red, green, blue


def _distance(a: Colour, b: Colour) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5
