"""``Identity``: who a synthetic person is, apart from the pose. Made by ``scene.random_identity``."""

from dataclasses import dataclass

from magicpose_cli.figures.textures import Cloth, Colour

BOTTOM_KINDS = ("trousers", "shorts", "skirt", "dress")
BEARDS = ("", "full", "goatee", "moustache", "stubble")
GLASSES = ("", "round", "square", "sun")
HATS = ("", "cap", "beanie", "brim")
LOGOS = ("star", "heart", "bolt", "circle", "polygon", "letter")


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
class FaceShape:
    """Where the parts of a calm face lie: x and widths in half widths of the head, y and heights in half heights."""

    eye_x: float = 0.43  # of an eye's middle
    eye_y: float = 0.09
    eye_width: float = 0.24  # half
    eye_height: float = 0.2  # half
    brow_y: float = -0.25
    nose_width: float = 1.0  # times that of a middling nose, as is the length
    nose_length: float = 1.0
    mouth_y: float = 0.63
    mouth_width: float = 0.3  # half


@dataclass(frozen=True)
class View:
    """The camera: which part of the whole scene is shown. All pictures of one person share it.

    The whole scene is the square in which a standing figure is seen from head to toe.
    """

    zoom: float = 1.0
    x: float = 0.5  # the picture's middle, as shares of the whole scene's width and height
    y: float = 0.5
    bob: float = 1.0  # share of the rise and fall of the hips that is followed: who is seen close up stands or sits

    @property
    def close_up(self) -> bool:
        """From the head to the hips, rather than head to toe."""
        return self.zoom > 1.3


@dataclass(frozen=True)
class Light:
    """Where the light comes from and what it does."""

    x: float = -0.5  # from the picture's left (-1) to its right (1)
    y: float = -0.6  # from above (-1) to level (0)
    strength: float = 0.25  # how much darker the far side is
    warmth: float = 0.0  # -1 bluish to 1 golden


@dataclass(frozen=True)
class Logo:
    """A sign on the chest."""

    kind: str  # of LOGOS
    colour: Colour
    sign: str = ""  # the letter or digit
    corners: int = 5  # of a polygon or star


@dataclass(frozen=True)
class Identity:
    """One person: body, hair, clothes and what is worn; and the scene: background's seed, camera and light."""

    skin: Colour
    freckles: float  # 0 to 1
    hair: Colour
    hair_style: str  # of hair.HAIR_STYLES
    eyes: Colour
    beard: str  # of BEARDS
    glasses: str  # of GLASSES
    earrings: bool
    hat: str  # of HATS
    hat_cloth: Cloth
    top: Cloth
    logo: Logo | None
    jacket: Cloth | None  # worn open over the top
    sleeves: float  # 0 none, 0.5 to the elbow, 1 to the wrist
    bottom: Cloth
    bottom_kind: str  # of BOTTOM_KINDS
    shoes: Colour
    proportions: Proportions
    background: int
    face: FaceShape = FaceShape()
    view: View = View()
    light: Light = Light()
