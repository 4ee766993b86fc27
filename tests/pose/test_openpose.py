"""The OpenPose detector on networks that read points out of colours, so that what it must find is known."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from magicpose_cli.core.keypoints import NOSE
from magicpose_cli.pose.crops import Square
from magicpose_cli.pose.detector import PersonPose
from magicpose_cli.pose.heatmaps import STRIDE
from magicpose_cli.pose.openpose import OpenPoseDetector
from magicpose_cli.pose.openpose_networks import Networks

WIDTH, HEIGHT = 480, 400
BODY_HALF = 5  # of the square that stands for a body point, in pixels
GREY = 128


def palette(start: int, count: int) -> np.ndarray:
    """(count, 3) RGB, each on the surface of the colours' cube: no blend of one with grey is another."""
    levels = (0, 51, 102, 153, 204, 255)
    surface = [colour for colour in product(levels, repeat=3) if {0, 255} & set(colour)]
    return np.array(surface, np.uint8)[start : start + count]


FACE, HAND, BODY = palette(0, 70), palette(70, 21), palette(91, 18)


class ColourNetwork(nn.Module):
    """Maps of points + background: how much of each cell has a point's colour. ``fields_of`` adds the body's fields."""

    def __init__(self, colours: np.ndarray, fields_of=None) -> None:
        super().__init__()
        self.wanted = (torch.from_numpy(colours).flip(1).float() - GREY) / 256  # (K, 3) BGR
        binomial = torch.tensor([1.0, 4, 6, 4, 1])
        self.blur = (torch.outer(binomial, binomial) / 16).expand(len(colours), 1, 5, 5)
        self.fields_of = fields_of
        self.batches: list[int] = []

    def forward(self, pictures: torch.Tensor):
        self.batches.append(len(pictures))
        likeness = nn.functional.conv2d(pictures, self.wanted[:, :, None, None])
        away = (pictures**2).sum(dim=1, keepdim=True) - 2 * likeness + (self.wanted**2).sum(dim=1)[:, None, None]
        share = nn.functional.avg_pool2d((away < 0.05**2).float(), STRIDE)
        maps = nn.functional.conv2d(share, self.blur, padding=2, groups=len(self.wanted))  # one top, in the middle
        maps = torch.cat([maps, 1 - maps.amax(dim=1, keepdim=True)], dim=1)
        return maps if self.fields_of is None else (self.fields_of(maps), maps)


class FaceList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = ColourNetwork(FACE)

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        found = self.last(pictures)
        return [torch.zeros_like(found), found]


def paint(frame: np.ndarray, points: np.ndarray, colours: np.ndarray, half: int) -> None:
    """A square of its colour for each of (points, 3) whose confidence is not 0."""
    for (x, y, confidence), colour in zip(points, colours, strict=True):
        if confidence > 0:
            frame[round(y) - half : round(y) + half, round(x) - half : round(x) + half] = colour


@pytest.fixture
def scene(truth) -> SimpleNamespace:
    """A frame of two people, their body points painted, and networks that know the colours and the limbs."""
    bodies = [truth.standing(40, 10, 1.8), truth.standing(250, 20, 1.8, missing=(3, 4, 10, 13))]

    def fields_of(maps: torch.Tensor) -> torch.Tensor:
        scale = maps.shape[2] * STRIDE / HEIGHT
        small = [body * (scale, scale, 1) for body in bodies]
        fields, _ = truth.body_maps(small, maps.shape[3] * STRIDE, maps.shape[2] * STRIDE)
        return fields.expand(len(maps), -1, -1, -1)

    networks = Networks(ColourNetwork(BODY, fields_of), ColourNetwork(HAND), FaceList())
    frame = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    for body in bodies:
        paint(frame, body, BODY, BODY_HALF)
    return SimpleNamespace(bodies=bodies, networks=networks, frame=frame)


def detector_of(scene: SimpleNamespace, **options) -> OpenPoseDetector:
    return OpenPoseDetector(scene.networks, torch.device("cpu"), **options)


def by_nose(people: list[PersonPose]) -> list[PersonPose]:
    return sorted(people, key=lambda person: person.body[NOSE, 0])


def test_both_people_are_found_in_the_frames_own_pixels(scene):
    found = by_nose(detector_of(scene).detect(scene.frame))
    assert len(found) == 2
    for person, body in zip(found, scene.bodies, strict=True):
        assert ((person.body[:, 2] > 0) == (body[:, 2] > 0)).all()
        assert np.abs(person.body[:, :2] - body[:, :2]).max() < 7  # the spots are half a cell of the network wide


def test_a_batch_is_its_frames_one_by_one(scene):
    detector = detector_of(scene)
    empty = np.full_like(scene.frame, GREY)
    half = scene.frame.copy()
    half[:, WIDTH // 2 :] = GREY
    frames = [empty, scene.frame, half]
    together = detector.detect_batch(frames)
    assert [len(people) for people in together] == [0, 2, 1]
    for people, frame in zip(together, frames, strict=True):
        for found, alone in zip(people, detector.detect(frame), strict=True):
            np.testing.assert_allclose(found.points, alone.points, atol=1e-3)
    assert scene.networks.body.batches[0] == 3


def test_hands_and_face_are_found_where_the_body_says_each_point_at_its_index(scene):
    rng = np.random.default_rng(0)
    body = scene.bodies[0]
    wrist, elbow, nose = body[7, :2], body[6, :2], body[0, :2]
    middle = wrist + (wrist - elbow) / 3
    # Rasters of points, so that no two cover each other, in an order of their own; what the body's points cover is
    # missing, and a few more are.
    hand = np.array([(middle[0] - 24 + 10 * (n % 5), middle[1] - 16 + 9 * (n // 5), 1) for n in rng.permutation(21)])
    face = np.array([(nose[0] - 18 + 4 * (n % 10), nose[1] - 12 + 4 * (n // 10), 1) for n in rng.permutation(70)])
    for points, half in ((hand, 3), (face, 1)):
        apart = np.abs(points[:, None, :2] - body[None, :, :2]).max(axis=2).min(axis=1)
        points[apart < BODY_HALF + half + 2, 2] = 0
        points[[0, 20], 2] = 0
        assert (points[:, 2] > 0).sum() > 10
    frame = scene.frame.copy()
    paint(frame, hand, HAND, 3)
    paint(frame, face, FACE, 1)
    first, second = by_nose(detector_of(scene).detect(frame))
    for part, true, within in ((first.left_hand, hand, 1.5), (first.face, face, 1.0)):
        assert ((part[:, 2] > 0) == (true[:, 2] > 0)).all()
        assert np.abs(part[:, :2] - true[:, :2])[true[:, 2] > 0].max() < within
    assert not first.right_hand.any() and not second.left_hand.any() and not second.face.any()


def test_two_hand_scales_give_the_same_points(scene):
    crop = np.full((92, 92, 3), GREY, np.uint8)
    points = np.array([(10 + 15 * (n % 5), 12 + 15 * (n // 5), 1) for n in range(21)], float)
    paint(crop, points, HAND, 5)
    for scales in ((1.0,), (0.5, 1.0), (1.0, 1.5)):
        detector = detector_of(scene, hand_scales=scales)
        [found] = detector.points_in([crop], [Square(0, 0, 92)], 368, 21, detector.hand_maps)
        assert np.abs(found[:, :2] - points[:, :2]).max() < 1.5
        assert (found[:, 2] > 0.3).all() and (found[:, 2] <= 1).all()


def test_frames_of_any_size_and_none_that_is_no_frame(scene):
    detector = detector_of(scene)
    scene.networks.body.fields_of = lambda maps: maps.new_zeros(len(maps), 38, *maps.shape[2:])
    for shape in ((1, 1), (3, 500), (500, 2), (37, 199)):
        assert detector.detect(np.full((*shape, 3), 90, np.uint8)) == []
    with pytest.raises(ValueError, match="uint8"):
        detector.detect(np.zeros((64, 64, 3), np.float32))
