"""Where in a frame to look for people, with a model that sees one square at 224 × 224 pixels."""

import math
from collections.abc import Iterator

import numpy as np

from magicpose_cli.pose.mediapipe_graphs import PeopleGraph, Picture, Place

_SMALLEST = 64  # pixels of a tile's side; in less nobody can be told
_TILE = 1.15  # a tile's side for a person's place: the model finds people who fill two thirds of a square best
_SCALES = (1.0, 0.7)  # of the largest person's tile: the others may stand farther off
_BAND = 0.5  # of a tile's side: how far from the largest person's height in the picture the others are looked for
_PYRAMID = (0.6, 0.4)  # of the shorter side: tiles where nobody is found in the whole picture


def search(frame: np.ndarray, graph: PeopleGraph, known: list[Place], *, wide: bool) -> list[Place]:
    """Places of people in an RGB uint8 frame that are like none of ``known``, the surest first.

    The whole frame is searched, and squares along its longer side. With ``wide`` tiles as well, of the size of the
    largest person known or found, at about his height in the picture.
    """
    height, width = frame.shape[:2]
    short = min(height, width)
    found = _in_tile(frame, graph, 0, 0, width, height)
    if max(height, width) > 1.2 * short:
        found += _in_tiles(frame, graph, _grid(width, height, short, 0.6))
    everyone = known + [place for place, _ in found]
    if wide and everyone:
        largest = max(everyone, key=lambda place: place.side)
        for scale in _SCALES:
            side = round(largest.side * _TILE * scale)
            if side < 0.85 * short:
                band = (largest.y - _BAND * side, largest.y + _BAND * side)
                found += _in_tiles(frame, graph, _grid(width, height, side, 1 / 3, band))
    return _apart(found, known)


def search_small(frame: np.ndarray, graph: PeopleGraph) -> list[Place]:
    """Places of people too small to be found in the whole frame, with tiles everywhere; the surest first."""
    height, width = frame.shape[:2]
    for share in _PYRAMID:
        if found := _in_tiles(frame, graph, _grid(width, height, round(min(height, width) * share), 0.5)):
            return _apart(found, [])
    return []


def middle_of(frame: np.ndarray) -> Place:
    """A guess where nobody is found: somebody in the middle, as high as the picture."""
    height, width = frame.shape[:2]
    return Place(width / 2, 0.55 * height, 1.1 * height)


def search_at(frame: np.ndarray, graph: PeopleGraph, lost: Place, known: list[Place]) -> list[Place]:
    """People where one was last seen, like none of ``known``."""
    height, width = frame.shape[:2]
    side = min(round(lost.side * _TILE * 1.2), max(height, width))
    left, top = (
        max(0, min(round(middle - side / 2), length - side)) for middle, length in ((lost.x, width), (lost.y, height))
    )
    return _apart(_in_tile(frame, graph, left, top, min(side, width), min(side, height)), known)


def _grid(
    width: int, height: int, side: int, step: float, band: tuple[float, float] | None = None
) -> Iterator[tuple[int, int, int]]:
    """Left, top and side of squares that overlap: middles ``step`` of a side apart, at a height within ``band``."""

    def starts(length: int) -> list[int]:
        steps = math.ceil((length - side) / (side * step))
        return [round(n * (length - side) / max(steps, 1)) for n in range(steps + 1)]

    for top in starts(height) if side >= _SMALLEST else ():
        if band is None or band[0] - side / 6 <= top + side / 2 <= band[1] + side / 6:
            yield from ((left, top, side) for left in starts(width))


def _in_tiles(
    frame: np.ndarray, graph: PeopleGraph, tiles: Iterator[tuple[int, int, int]]
) -> list[tuple[Place, float]]:
    return [found for left, top, side in tiles for found in _in_tile(frame, graph, left, top, side, side)]


def _in_tile(
    frame: np.ndarray, graph: PeopleGraph, left: int, top: int, width: int, height: int
) -> list[tuple[Place, float]]:
    found = graph.find(Picture(frame[top : top + height, left : left + width]))
    return [(Place(place.x + left, place.y + top, place.side, place.turn), sure) for place, sure in found]


def _apart(found: list[tuple[Place, float]], known: list[Place]) -> list[Place]:
    kept: list[Place] = []
    for place, _ in sorted(found, key=lambda pair: -pair[1]):
        if not any(place.like(other) for other in (*known, *kept)):
            kept.append(place)
    return kept
