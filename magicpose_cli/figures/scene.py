"""Who stands before what: identities drawn by chance from a seed."""

import colorsys
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from magicpose_cli.figures.body import GROUND
from magicpose_cli.figures.chance import chance_of
from magicpose_cli.figures.hair import HAIR_STYLES, LONG_STYLES
from magicpose_cli.figures.identity import (
    BEARDS,
    BOTTOM_KINDS,
    GLASSES,
    HATS,
    LOGOS,
    Identity,
    Light,
    Logo,
    Proportions,
    View,
)
from magicpose_cli.figures.textures import CLOTH_KINDS, Cloth, Colour

_SKINS = ((255, 222, 196), (246, 205, 172), (232, 184, 144), (214, 160, 116), (188, 132, 90), (154, 101, 66),
          (118, 76, 50), (88, 56, 40))  # fmt: skip
_HAIRS = ((30, 26, 28), (58, 38, 28), (96, 60, 36), (140, 74, 36), (196, 96, 44), (226, 186, 108), (244, 222, 160))
_GREY_HAIRS = ((168, 166, 168), (228, 228, 226), (122, 118, 120), (206, 200, 192))
_BRIGHT_HAIRS = ((226, 96, 150), (70, 130, 214), (60, 176, 160), (140, 90, 190))
_EYES = ((70, 44, 26), (44, 30, 24), (64, 110, 170), (70, 130, 80), (110, 120, 130))
_NEUTRALS = ((242, 240, 234), (62, 62, 70), (150, 150, 156), (36, 44, 72), (212, 190, 154))
_KIND_SHARES = {"flat": 0.12, "heather": 0.16, "stripes": 0.15, "checks": 0.1, "dots": 0.08, "zigzag": 0.05,
                "camouflage": 0.06, "natural": 0.09, "leaves": 0.06, "gradient": 0.06, "knit": 0.07}  # fmt: skip
_MANLY_STYLES = ("short", "crop", "spiky", "parted", "swept", "mohawk", "balding", "bald", "curly", "bowl", "bun")


def random_identity(seed: int) -> Identity:
    """The person of this seed: the same one on each call, told apart from others by skin, hair and clothes.

    About half are seen head to toe and half from the head to the hips; children, adults and elders occur.
    """
    chance = chance_of(seed, 101)
    age = float(chance.choice((0.0, 0.5, 1.0), p=(0.18, 0.66, 0.16)))  # child, adult, elder
    skin = _skin(chance)
    top, top_hue = _cloth(chance, None, skin)
    bottom, _ = _cloth(chance, top_hue, skin)
    style = str(chance.choice([s for s in HAIR_STYLES if age == 1.0 or s != "balding"]))
    if age == 0.0 and style == "bald":
        style = "bowl"
    gown_possible = style in LONG_STYLES
    kind = str(chance.choice(BOTTOM_KINDS, p=(0.42, 0.2, 0.22, 0.16) if gown_possible else (0.66, 0.34, 0, 0)))
    proportions = _proportions(chance, age)
    close_up = bool(chance.random() < 0.5)
    hairs = _GREY_HAIRS if age == 1.0 else _BRIGHT_HAIRS if chance.random() < 0.12 else _HAIRS
    bearded = age > 0 and style in _MANLY_STYLES and chance.random() < 0.45
    jacket = _cloth(chance, top_hue, skin)[0] if kind != "dress" and chance.random() < 0.18 else None
    logo = _logo(chance, top.colour) if top.kind in ("flat", "heather", "gradient") and chance.random() < 0.5 else None
    return Identity(
        skin=skin,
        freckles=float(chance.uniform(0.5, 1)) if chance.random() < 0.18 else 0.0,
        hair=_jitter(_pick(chance, hairs), 10, chance),
        hair_style=style,
        eyes=_pick(chance, _EYES),
        beard=str(chance.choice(BEARDS[1:])) if bearded else "",
        glasses=str(chance.choice(GLASSES, p=(0.81, 0.08, 0.08, 0.03))),
        earrings=bool(chance.random() < (0.3 if gown_possible else 0.08)),
        hat=str(chance.choice(HATS, p=(0.8, 0.08, 0.07, 0.05))) if style not in ("afro", "mohawk", "topknot") else "",
        hat_cloth=_cloth(chance, None, plain=True)[0],
        top=top,
        logo=logo,
        jacket=jacket,
        sleeves=float(chance.choice((0.0, 0.5, 1.0), p=(0.14, 0.42, 0.44))),
        bottom=top if kind == "dress" else bottom,
        bottom_kind=kind,
        shoes=_cloth(chance, None)[0].colour,
        proportions=proportions,
        background=2 * int(chance.integers(2**30)) + close_up,
        view=_view(chance, proportions, close_up),
        light=_light(chance),
    )


def with_scene(identity: Identity, other: Identity) -> Identity:
    """The same person where another one stands: before that background, in that light, seen by that camera."""
    return replace(identity, background=other.background, view=other.view, light=other.light)


def _view(chance: np.random.Generator, p: Proportions, close_up: bool) -> View:
    """Head to toe with a little play, or head to hips with the head 30 to 42 % of the picture's height."""
    if not close_up:
        zoom = float(chance.uniform(0.92, 1.03))
        return View(zoom, 0.5 + float(chance.uniform(-0.02, 0.02)), GROUND - 0.472 / zoom)
    share = float(chance.uniform(0.3, 0.42))
    zoom = share / (p.head * p.height)
    top = GROUND - p.height  # of the standing person's head
    above = float(chance.uniform(0.1, 0.17))  # room over the head, as a share of the picture
    return View(zoom, 0.5 + float(chance.uniform(-0.03, 0.03)), top + (0.5 - above) / zoom, 0.12)


def _light(chance: np.random.Generator) -> Light:
    return Light(
        x=float(chance.choice((-1, 1)) * chance.uniform(0.3, 0.9)),
        y=float(chance.uniform(-0.8, -0.3)),
        strength=float(chance.uniform(0.16, 0.4)),
        warmth=float(chance.uniform(-1, 1)),
    )


def _logo(chance: np.random.Generator, ground: Colour) -> Logo:
    colour = _cloth(chance, None, ground, plain=True)[0].colour
    if _distance(colour, ground) < 150:
        colour = (250, 248, 240) if sum(ground) < 400 else (40, 42, 76)
    kind = str(chance.choice(LOGOS, p=(0.16, 0.14, 0.14, 0.14, 0.14, 0.28)))
    sign = str(chance.choice(list("ABEFHKMNPRSTXZ2345679")))
    return Logo(kind, colour, sign if kind == "letter" else "", int(chance.integers(3, 8) if kind != "star" else 5))


def _proportions(chance: np.random.Generator, age: float) -> Proportions:
    # people vary by some hundredths around a body whose parts add up to 1
    def near(value: float, spread: float) -> float:
        return value * (1 + spread * float(chance.uniform(-1, 1)))

    child = 1.0 if age == 0 else 0.0
    head, neck, torso = near(0.206 + 0.062 * child, 0.05), near(0.036 - 0.01 * child, 0.25), near(0.255, 0.06)
    thigh, shin, foot = near(0.222 - 0.03 * child, 0.07), near(0.215 - 0.03 * child, 0.07), 0.042
    total = head + neck + torso + thigh + shin + foot
    stout = float(chance.uniform(-1, 1)) + 0.3 * (age == 1)
    shoulders = near(0.098 - 0.008 * child, 0.12) * (1 + 0.08 * stout)
    height = chance.uniform(0.66, 0.78) if child else chance.uniform(0.84, 0.905) - 0.02 * (age == 1)
    return Proportions(
        height=float(height),
        head=head / total,
        head_width=head / total * near(0.455, 0.06),
        neck=neck / total,
        neck_radius=near(0.03, 0.12),
        torso=torso / total,
        shoulders=shoulders,
        waist=near(0.84, 0.1) + 0.1 * stout,
        hips=near(0.05, 0.12) * (1 + 0.12 * stout),
        upper_arm=near(0.148 - 0.014 * child, 0.08),
        forearm=near(0.136 - 0.012 * child, 0.08),
        hand=near(0.095, 0.06),
        arm_radius=near(0.0265, 0.1) * (1 + 0.16 * stout),
        thigh=thigh / total,
        shin=shin / total,
        foot=foot / total,
        leg_radius=near(0.039, 0.1) * (1 + 0.16 * stout),
        jaw=float(chance.uniform(0.72, 1.08)),
    )


def _cloth(
    chance: np.random.Generator, away_from: float | None, skin: Colour | None = None, *, plain: bool = False
) -> tuple[Cloth, float | None]:
    """A cloth and its hue (None: a neutral), at a distance from another hue and from the skin."""
    ground, hue = _any_colour(chance, away_from)
    while skin is not None and _distance(ground, skin) < 95:
        ground, hue = _any_colour(chance, away_from)
    kind = str(chance.choice(CLOTH_KINDS, p=[_KIND_SHARES[kind] for kind in CLOTH_KINDS]))
    strong = chance.random() < 0.22  # most patterns are quiet
    others = [_beside(chance, ground, strong) for _ in range(int(chance.integers(1, 4)))]
    colours = (ground, *others)
    return Cloth("heather" if plain else kind, colours, int(chance.integers(2**31))), hue


def _beside(chance: np.random.Generator, ground: Colour, strong: bool) -> Colour:
    """A pattern's colour: far from its ground, or a middle step towards such a one."""
    other, _ = _any_colour(chance, None)
    while _distance(other, ground) < 120:
        other, _ = _any_colour(chance, None)
    share = 1.0 if strong else min(1.0, 110 / _distance(other, ground))
    return _rounded(a + (b - a) * share for a, b in zip(ground, other, strict=True))


def _any_colour(chance: np.random.Generator, away_from: float | None) -> tuple[Colour, float | None]:
    if chance.random() < 0.22:
        return _jitter(_pick(chance, _NEUTRALS), 8, chance), None
    hue = float(chance.random())
    if away_from is not None:
        hue = (away_from + float(chance.uniform(0.2, 0.8))) % 1
    rgb = colorsys.hsv_to_rgb(hue, float(chance.uniform(0.35, 0.82)), float(chance.uniform(0.42, 0.93)))
    return _rounded(255 * c for c in rgb), hue


def _pick(chance: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    return colours[int(chance.integers(len(colours)))]


def _skin(chance: np.random.Generator) -> Colour:
    place = float(chance.uniform(0, len(_SKINS) - 1))
    low = min(int(place), len(_SKINS) - 2)
    mixed = (a + (b - a) * (place - low) for a, b in zip(_SKINS[low], _SKINS[low + 1], strict=True))
    return _rounded(mixed)


def _jitter(colour: Colour, spread: float, chance: np.random.Generator) -> Colour:
    return _rounded(c + float(chance.uniform(-spread, spread)) for c in colour)


def _rounded(values: Iterable[float]) -> Colour:
    red, green, blue = (int(min(255, max(0, round(v)))) for v in values)
    return red, green, blue


def _distance(a: Colour, b: Colour) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5
