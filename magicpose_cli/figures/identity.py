"""``Identity``: who a synthetic person is, apart from the pose. Made by ``scene.random_identity``."""

from dataclasses import dataclass

Colour = tuple[int, int, int]  # R, G, B, each 0 to 255

HAIR_STYLES = ("short", "spiky", "parted", "bob", "long", "bun", "ponytail", "afro", "bald", "cap")
TOP_PATTERNS = ("none", "stripes", "dots", "two-tone", "sash")
BOTTOM_KINDS = ("trousers", "shorts", "skirt", "dress")


@dataclass(frozen=True)
class Proportions:
    """Lengths of the body as shares of the standing figure's height; widths are half widths, limbs are radii.

    ``height`` alone is a share of the picture's height. Head, neck, torso, thigh, shin and foot add up to 1.
    """

    height: float
    head: float
    head_width: float
    neck: float
    neck_radius: float
    torso: float
    shoulders: float
    waist: float
    hips: float
    upper_arm: float
    forearm: float
    hand: float
    arm_radius: float
    thigh: float
    shin: float
    foot: float
    leg_radius: float
    jaw: float  # exponent of the jaw's curve: below 1 is square, above 1 is pointed


@dataclass(frozen=True)
class Identity:
    """One person: skin, hair, eyes, clothes, proportions, and the seed of the background behind."""

    skin: Colour
    hair: Colour
    hair_style: str  # of HAIR_STYLES
    eyes: Colour
    beard: bool
    glasses: bool
    top: Colour
    top_pattern: str  # of TOP_PATTERNS
    pattern_colour: Colour
    long_sleeves: bool
    bottom: Colour
    bottom_kind: str  # of BOTTOM_KINDS
    shoes: Colour
    cap: Colour
    proportions: Proportions
    background: int
