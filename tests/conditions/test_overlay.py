import numpy as np

from magicpose_cli.conditions.overlay import draw_people
from magicpose_cli.core.keypoints import NECK, NOSE
from magicpose_cli.pose.detector import PersonPose


def standing_at(x: float) -> PersonPose:
    pose = PersonPose.empty()
    pose.body[NOSE], pose.body[NECK] = (x, 100, 0.9), (x, 140, 0.9)
    return pose


def test_each_person_is_drawn_with_a_number_over_the_head():
    frame = np.full((300, 600, 3), 120, np.uint8)
    one, other = (draw_people(frame, {number: standing_at(150)}) for number in (0, 1))
    above = (slice(50, 100), slice(120, 180))
    assert (one[above] == 255).all(axis=2).any() and (other[above] == 255).all(axis=2).any()
    assert not np.array_equal(one[above], other[above])
    np.testing.assert_array_equal(one[105:], other[105:])  # the same skeleton
    both = draw_people(frame, {0: standing_at(150), 1: standing_at(450)})
    np.testing.assert_array_equal(both[:, :300], one[:, :300])
    assert (both[50:100, 420:480] == 255).all(axis=2).any()


def test_nobody_leaves_the_frame_darker_and_whole():
    frame = np.full((90, 120, 3), 100, np.uint8)
    np.testing.assert_array_equal(draw_people(frame, {}), np.full_like(frame, 75))
    np.testing.assert_array_equal(draw_people(frame, {0: PersonPose.empty()}), np.full_like(frame, 75))


def test_a_head_at_the_edge_keeps_its_number_in_the_picture():
    pose = PersonPose.empty()
    pose.body[NOSE], pose.body[NECK] = (2, 2, 0.9), (2, 40, 0.9)
    shown = draw_people(np.zeros((300, 400, 3), np.uint8), {7: pose})
    white = np.argwhere((shown == 255).all(axis=2))
    assert len(white) > 20
    assert white.min() > 0
