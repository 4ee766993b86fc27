"""People come out of heatmaps and part affinity fields as they were put in."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from magicpose_cli.core.keypoints import (
    LEFT_EAR,
    LEFT_ELBOW,
    LEFT_EYE,
    LEFT_WRIST,
    NOSE,
    RIGHT_EAR,
    RIGHT_EYE,
)
from magicpose_cli.pose.heatmaps import find_peaks
from magicpose_cli.pose.part_affinity import LIMBS, associate

WIDTH, HEIGHT = 368, 200


@pytest.fixture
def decoded(truth) -> Callable[..., list[list[np.ndarray]]]:
    def decode(*frames: list[np.ndarray]) -> list[list[np.ndarray]]:
        drawn = [truth.body_maps(people, WIDTH, HEIGHT) for people in frames]
        fields, maps = (torch.stack(each) for each in zip(*drawn, strict=True))
        return associate(fields, *find_peaks(maps[:, :18], 0.1, WIDTH, HEIGHT))

    return decode


def assert_same(found: list[np.ndarray], true: list[np.ndarray], within: float = 1.5) -> None:
    """The same people, in any order: the same points missing, the others near."""
    assert len(found) == len(true)
    for person in true:
        nearest = min(found, key=lambda each: np.abs(each[:, :2] - person[:, :2]).sum())
        assert ((nearest[:, 2] > 0) == (person[:, 2] > 0)).all()
        assert np.abs(nearest[:, :2] - person[:, :2]).max() < within


def test_one_person(truth, decoded):
    person = truth.standing(100, 0)
    [[found]] = decoded([person])
    assert_same([found], [person])
    np.testing.assert_allclose(found[:, 2], 0.9, atol=0.05)


def test_three_people_side_by_side_and_an_empty_frame_in_one_batch(truth, decoded):
    people = [truth.standing(0, 0), truth.standing(120, 10, 0.9), truth.standing(240, 0)]
    first, nobody, second = decoded(people, [], people[:2])
    assert_same(first, people)
    assert nobody == []
    assert_same(second, people[:2])


def test_forearms_that_cross_stay_with_their_owners(truth, decoded):
    near, far = truth.standing(60, 0), truth.standing(180, 0)
    near[[LEFT_ELBOW, LEFT_WRIST], :2] = (145, 85), (205, 130)
    far[[LEFT_ELBOW, LEFT_WRIST], :2] = (205, 85), (145, 130)
    [found] = decoded([near, far])
    assert_same(found, [near, far])


@pytest.mark.parametrize(
    "missing", [(10, 13), (NOSE, RIGHT_EYE, LEFT_EYE, RIGHT_EAR, LEFT_EAR), (4, 7), (9, 10, 12, 13)]
)
def test_missing_parts_are_missing_and_no_other(truth, decoded, missing):
    people = [truth.standing(40, 0, missing=missing), truth.standing(220, 0)]
    [found] = decoded(people)
    assert_same(found, people)


def test_ears_seen_from_behind_belong_to_the_shoulders(truth, decoded):
    person = truth.standing(100, 0, missing=(NOSE, RIGHT_EYE, LEFT_EYE))
    [[found]] = decoded([person])
    assert (found[[RIGHT_EAR, LEFT_EAR], 2] > 0.5).all()


def test_a_limb_longer_than_half_the_picture_is_one(truth, decoded):
    close_up = truth.standing(-70, -40, 4.5, missing=(3, 4, 6, 7, 8, 9, 10, 11, 12, 13))
    close_up[1, :2], close_up[0, :2] = (184, 190), (184, 60)
    close_up[2, :2], close_up[5, :2] = (20, 195), (340, 195)
    [[found]] = decoded([close_up])
    assert (found[[0, 1, 2, 5], 2] > 0.5).all()  # shoulders at 160 pixels of a height of 200


def test_points_without_fields_are_nobody(truth):
    fields, maps = truth.body_maps([truth.standing(100, 0)], WIDTH, HEIGHT)
    assert associate(torch.zeros_like(fields)[None], *find_peaks(maps[None, :18], 0.1, WIDTH, HEIGHT)) == [[]]
    turned = -fields[None]  # each limb from its end to its start
    assert associate(turned, *find_peaks(maps[None, :18], 0.1, WIDTH, HEIGHT)) == [[]]


def test_three_points_are_no_person(truth, decoded):
    [found] = decoded([truth.standing(100, 0, missing=[n for n in range(18) if n not in (2, 3, 4)])])
    assert found == []


def test_faint_points_are_no_person(truth):
    fields, maps = truth.body_maps([truth.standing(100, 0, confidence=0.15)], WIDTH, HEIGHT)
    assert associate(fields[None] * 0.2, *find_peaks(maps[None, :18], 0.1, WIDTH, HEIGHT)) == [[]]


def test_no_point_is_given_to_two_people(truth, decoded):
    people = [truth.standing(60, 0), truth.standing(75, 4)]  # one right behind the other
    [found] = decoded(people)
    seen = [tuple(point) for person in found for point in np.round(person[person[:, 2] > 0], 3).tolist()]
    assert len(seen) == len(set(seen))


def test_fields_and_limbs_are_a_tree_and_two_more():
    assert len({limb.channel for limb in LIMBS}) == 19 and all(limb.channel % 2 == 0 for limb in LIMBS)
    assert {limb.channel for limb in LIMBS} == set(range(0, 38, 2))
    reached = {LIMBS[0].start}
    for limb in LIMBS[:17]:
        assert limb.start in reached and limb.end not in reached
        reached.add(limb.end)
    assert reached == set(range(18))
