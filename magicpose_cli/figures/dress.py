"""Limbs, torso and clothes, drawn through the joints."""

from magicpose_cli.figures.body import LEFT, RIGHT, Limb, Skeleton
from magicpose_cli.figures.canvas import Canvas, shade
from magicpose_cli.figures.identity import Colour, Identity

_EDGE = 0.8  # how dark the line is that keeps a limb apart from what is behind it


def draw_leg(canvas: Canvas, skeleton: Skeleton, leg: Limb, identity: Identity) -> None:
    """One leg with its shoe; a skirt comes later, over both."""
    unit, p = skeleton.unit, identity.proportions
    top, knee, ankle = p.leg_radius * unit, 0.74 * p.leg_radius * unit, 0.5 * p.leg_radius * unit
    heel = leg.tip + 0.42 * (leg.tip - leg.middle) / (abs(leg.tip - leg.middle) + 1e-6) * p.foot * unit
    edge = 0.006 * unit
    for grow, light in ((edge, _EDGE), (0.0, 1.0)):
        shoe = shade(identity.shoes, light)
        canvas.capsule(heel, leg.end, 0.46 * p.foot * unit + grow, 0.36 * p.foot * unit + grow, shoe)
        if identity.bottom_kind == "trousers":
            cloth = shade(identity.bottom, light)
            canvas.capsule(leg.middle, leg.tip, knee * 1.08 + grow, ankle * 1.3 + grow, cloth)
            canvas.capsule(leg.root, leg.middle, top + grow, knee * 1.08 + grow, cloth)
            continue
        skin = shade(identity.skin, light)
        canvas.capsule(leg.middle, leg.tip, knee * 0.92 + grow, ankle + grow, skin)
        canvas.capsule(leg.root, leg.middle, top * 0.9 + grow, knee * 0.92 + grow, skin)
        hem = leg.root + (0.72 if identity.bottom_kind == "shorts" else 0.2) * (leg.middle - leg.root)
        canvas.capsule(leg.root, hem, top * 1.03 + grow, top * 1.0 + grow, shade(identity.bottom, light))


def draw_arm(canvas: Canvas, skeleton: Skeleton, arm: Limb, identity: Identity) -> None:
    """One arm with sleeve and hand."""
    unit, p = skeleton.unit, identity.proportions
    shoulder, elbow, wrist = (share * p.arm_radius * unit for share in (1.0, 0.84, 0.66))
    sleeve = identity.top if identity.top_pattern != "two-tone" else identity.pattern_colour
    points = skeleton.right_hand if arm.side == RIGHT else skeleton.left_hand
    _draw_hand(canvas, points, p.hand * unit, wrist, identity.skin)
    for grow, light in ((0.006 * unit, _EDGE), (0.0, 1.0)):
        if identity.long_sleeves:
            cloth = shade(sleeve, light)
            cuff = arm.middle + 0.94 * (arm.tip - arm.middle)
            canvas.capsule(arm.middle, cuff, elbow * 1.06 + grow, wrist * 1.12 + grow, cloth)
            canvas.capsule(arm.root, arm.middle, shoulder + grow, elbow * 1.06 + grow, cloth)
            continue
        skin = shade(identity.skin, light)
        canvas.capsule(arm.middle, arm.tip, elbow * 0.96 + grow, wrist + grow, skin)
        canvas.capsule(arm.root, arm.middle, shoulder * 0.92 + grow, elbow * 0.96 + grow, skin)
        hem = arm.root + 0.55 * (arm.middle - arm.root)
        canvas.capsule(arm.root, hem, shoulder + grow, shoulder * 1.04 + grow, shade(sleeve, light))
    canvas.disc(arm.root, shoulder + 0.006 * unit, sleeve)  # no edge between the sleeve and the shoulder


def draw_torso(canvas: Canvas, skeleton: Skeleton, identity: Identity) -> None:
    """Skirt, top with its pattern, neck and collar: over the legs, under the head."""
    unit, p = skeleton.unit, identity.proportions
    radius = p.arm_radius * unit
    if identity.bottom_kind in ("skirt", "dress"):
        _draw_skirt(canvas, skeleton, identity)
    else:
        hips = (skeleton.right_leg.root, skeleton.left_leg.root)
        canvas.capsule(*hips, p.leg_radius * unit, p.leg_radius * unit, identity.bottom)

    def row(share: float) -> tuple[complex, complex]:
        return _torso_row(skeleton, identity, share)

    colour = identity.top
    upper = identity.pattern_colour if identity.top_pattern == "two-tone" else colour
    outline = [row(t) for t in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    canvas.capsule(skeleton.right_arm.root, skeleton.left_arm.root, radius, radius, upper)
    canvas.polygon([a for a, _ in outline] + [b for _, b in reversed(outline)], colour)
    if identity.top_pattern == "two-tone":
        band = [row(t) for t in (0.0, 0.2, 0.42)]
        canvas.polygon([a for a, _ in band] + [b for _, b in reversed(band)], upper)
    elif identity.top_pattern == "stripes":
        for start in (0.08, 0.32, 0.56, 0.8):
            (a, b), (c, d) = row(start), row(start + 0.12)
            canvas.polygon([a, b, d, c], identity.pattern_colour)
    elif identity.top_pattern == "dots":
        for index, t in enumerate((0.12, 0.37, 0.62, 0.87)):
            a, b = row(t)
            for across in (0.2, 0.5, 0.8) if index % 2 == 0 else (0.35, 0.65):
                canvas.disc(a + across * (b - a), 0.0155 * unit, identity.pattern_colour)
    elif identity.top_pattern == "sash":
        (a, b), (c, d) = row(0.0), row(0.95)
        start, end = a + 0.15 * (b - a), c + 0.92 * (d - c)
        width = 0.3 * (b - a)
        canvas.polygon([start, start + width, end, end - 0.9 * width], identity.pattern_colour)

    chin = skeleton.head.at(0, 0.8)
    base = skeleton.neck + 0.03 * (skeleton.pelvis - skeleton.neck)
    canvas.capsule(base, chin, 0.85 * p.neck_radius * unit, p.neck_radius * unit, shade(identity.skin, 0.86))


def _torso_row(skeleton: Skeleton, identity: Identity, share: float) -> tuple[complex, complex]:
    """The torso's edges (person's right, left) at a share of the way from the shoulder line to below the hips."""
    p = identity.proportions
    waist = p.waist
    right, left = skeleton.right_arm.root, skeleton.left_arm.root
    hip_right, hip_left = skeleton.right_leg.root, skeleton.left_leg.root
    flare = 1 + 0.75 * p.leg_radius / p.hips  # the hip joints lie inside the body
    middle_top, middle_low = (right + left) / 2, (hip_right + hip_left) / 2
    middle = middle_top + share * (middle_low - middle_top)
    half = (left - right) / 2 * (1 - share) + (hip_left - hip_right) / 2 * flare * share
    half *= 1 - (1 - waist) * 4 * share * (1 - share)
    return middle - half, middle + half


def _draw_skirt(canvas: Canvas, skeleton: Skeleton, identity: Identity) -> None:
    p, unit = identity.proportions, skeleton.unit
    edges = {}
    for leg in (skeleton.right_leg, skeleton.left_leg):
        hem = leg.root + 0.78 * (leg.middle - leg.root)
        edges[leg.side] = hem + leg.side * 1.5 * p.leg_radius * unit
    waist = _torso_row(skeleton, identity, 0.8)
    hips = _torso_row(skeleton, identity, 1.0)
    low = 0.5 * (edges[RIGHT] + edges[LEFT]) + 0.02j * unit
    outline = [waist[0], hips[0] - 0.01 * unit, edges[RIGHT], low, edges[LEFT], hips[1] + 0.01 * unit, waist[1]]
    canvas.polygon(outline, identity.bottom)
    for leg in (skeleton.right_leg, skeleton.left_leg):
        hem = leg.root + 0.6 * (leg.middle - leg.root)
        canvas.capsule(leg.root, hem, p.leg_radius * unit, 1.25 * p.leg_radius * unit, identity.bottom)
    canvas.line([edges[RIGHT], low, edges[LEFT]], 0.012 * unit, shade(identity.bottom, 0.75))


def _draw_hand(canvas: Canvas, points: tuple[complex, ...], length: float, wrist: float, skin: Colour) -> None:
    """A palm and five fingers through the 21 points; the darker rim first."""
    fingers = [points[start : start + 4] for start in (1, 5, 9, 13, 17)]
    palm = [points[0], points[5], points[9], points[13], points[17]]
    middle = (points[0] + points[9]) / 2
    for grow, colour in ((0.045 * length, shade(skin, 0.74)), (0.0, skin)):
        canvas.capsule(points[0], middle, wrist + grow, 0.22 * length + grow, colour)
        canvas.lines([*fingers, points[0:2]], 0.13 * length + 2 * grow, colour)
    canvas.polygon(palm, skin)
