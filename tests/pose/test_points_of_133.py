"""COCO-WholeBody's 133 points as a person of OpenPose's layout."""

import numpy as np

from magicpose_cli.core.keypoints import FACE_LEFT_PUPIL, FACE_RIGHT_PUPIL, LEFT_WRIST, NECK, NOSE, RIGHT_EAR
from magicpose_cli.pose.dwpose import person_of_133


def test_133_points_are_sorted_into_body_hands_and_face():
    points = np.column_stack([np.arange(133) * 10.0, np.arange(133) + 0.5, np.full(133, 0.9)]).astype(np.float32)
    points[6, 2] = 0.4  # the right shoulder
    points[1, 2] = 0.3  # the left eye
    person = person_of_133(points)
    # COCO: 0 nose, 1 left eye, 2 right eye, 3 left ear, 4 right ear, 5/6 shoulders, 9/10 wrists, …, 15/16 ankles
    coco = [0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    for index, source in enumerate(coco):
        if source is not None:
            np.testing.assert_array_equal(person.body[index], points[source])
    np.testing.assert_allclose(person.body[NECK], (55, 6, 0.4))
    np.testing.assert_array_equal(person.face[:68], points[23:91])
    np.testing.assert_array_equal(person.left_hand, points[91:112])
    np.testing.assert_array_equal(person.right_hand, points[112:133])
    np.testing.assert_array_equal(person.face[[FACE_RIGHT_PUPIL, FACE_LEFT_PUPIL], :2], points[[2, 1], :2])
    np.testing.assert_allclose(person.face[[FACE_RIGHT_PUPIL, FACE_LEFT_PUPIL], 2], (0.9, 0.3))
    assert person.body[LEFT_WRIST, 0] == 90 and person.body[RIGHT_EAR, 0] == 40 and person.body[NOSE, 0] == 0


def test_what_the_network_guesses_is_missing():
    """From behind: the network gives a face and a hand nevertheless, with low scores."""
    points = np.ones((133, 3), np.float32)
    points[23:112, 2] = np.linspace(0.05, 0.29, 89)
    person = person_of_133(points)
    assert not person.face.any() and not person.left_hand.any()
    assert (person.body[:, 2] == 1).all() and (person.right_hand[:, 2] == 1).all()


def test_a_neck_or_a_pupil_without_its_points_is_missing():
    points = np.ones((133, 3), np.float32)
    points[5] = 0  # the left shoulder
    points[23 + 36 : 23 + 42] = 0  # the right eye's lids
    person = person_of_133(points)
    assert not person.body[NECK].any()
    assert not person.face[FACE_RIGHT_PUPIL].any() and person.face[FACE_LEFT_PUPIL, 2] == 1
