"""Figures: the same bytes by seed, keypoints on the person, order and masks."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from magicpose_cli.figures.background import background
from magicpose_cli.figures.body import place
from magicpose_cli.figures.figure_pose import EXPRESSION_NAMES, FigurePose
from magicpose_cli.figures.hair import HAIR_STYLES
from magicpose_cli.figures.identity import BEARDS, BOTTOM_KINDS, GLASSES, HATS, LOGOS, Identity, Light, Logo, View
from magicpose_cli.figures.motion import random_pose
from magicpose_cli.figures.render import keypoints_of, render, track_of
from magicpose_cli.figures.scene import random_identity, with_scene
from magicpose_cli.figures.textures import CLOTH_KINDS, Cloth

DIGEST = """
import hashlib
from magicpose_cli.figures.motion import make_motion, random_pose
from magicpose_cli.figures.render import render
from magicpose_cli.figures.scene import random_identity
digest = hashlib.sha256()
for seed in range(6):
    for pose in (random_pose(seed), make_motion(seed, 9)[8]):
        made = render(random_identity(seed), pose)
        for array in (made.image, made.person_mask, made.keypoints.body, made.keypoints.left_hand,
                      made.keypoints.right_hand, made.keypoints.face):
            digest.update(array.tobytes())
print(digest.hexdigest())
"""


def _head_to_toe(seed: int) -> Identity:
    return replace(random_identity(seed), view=View())


def test_same_bytes_in_every_process():
    command = [sys.executable, "-c", DIGEST]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == 64


def test_same_bytes_twice_whatever_was_drawn_between():
    first = render(random_identity(3), random_pose(5))
    for seed in range(40):
        render(random_identity(seed), random_pose(seed), 64)
    second = render(random_identity(3), random_pose(5))
    assert hashlib.sha256(first.image).digest() == hashlib.sha256(second.image).digest()


@pytest.mark.parametrize("size", [64, 128, 200])
def test_shapes_and_types(size):
    made = render(random_identity(0), random_pose(0), size)
    assert made.image.shape == (size, size, 3) and made.image.dtype == np.uint8
    assert made.person_mask.shape == (size, size) and made.person_mask.dtype == bool
    counts = {"body": 18, "left_hand": 21, "right_hand": 21, "face": 70}
    for name, count in counts.items():
        points = getattr(made.keypoints, name)
        assert points.shape == (count, 3) and points.dtype == np.float32


def test_keypoints_lie_on_the_person():
    on, total = 0, 0
    for seed in range(60):
        made = render(random_identity(seed), random_pose(1000 + seed))
        points = np.concatenate([made.keypoints.body, made.keypoints.face])
        points = points[points[:, 2] > 0].astype(int)
        on += int(made.person_mask[points[:, 1], points[:, 0]].sum())
        total += len(points)
    assert on / total > 0.98


def test_hands_lie_on_the_person():
    on, total = 0, 0
    for seed in range(60):
        made = render(random_identity(seed), random_pose(1000 + seed), 256)
        points = np.concatenate([made.keypoints.left_hand, made.keypoints.right_hand])
        points = points[points[:, 2] > 0].astype(int)
        on += int(made.person_mask[points[:, 1], points[:, 0]].sum())
        total += len(points)
    assert on / total > 0.95


def test_right_is_the_persons_own_right():
    points = keypoints_of(_head_to_toe(1), FigurePose())
    assert points.body[2, 0] < points.body[5, 0]  # shoulders
    assert points.body[14, 0] < points.body[15, 0]  # eyes
    assert points.right_hand[:, 0].mean() < points.left_hand[:, 0].mean()
    assert points.face[68, 0] < points.face[69, 0]  # pupils
    assert points.face[0, 0] < points.face[16, 0]  # jaw


def test_neck_is_the_middle_of_the_shoulders_and_hands_begin_at_the_wrists():
    for seed in range(20):
        points = keypoints_of(_head_to_toe(seed), replace(random_pose(seed), scale=0.6))
        np.testing.assert_allclose(points.body[1, :2], (points.body[2, :2] + points.body[5, :2]) / 2, atol=1e-4)
        np.testing.assert_allclose(points.right_hand[0], points.body[4], atol=1e-4)
        np.testing.assert_allclose(points.left_hand[0], points.body[7], atol=1e-4)


def test_points_outside_the_picture_are_missing():
    points = keypoints_of(_head_to_toe(2), FigurePose(root_x=0.5))
    assert (points.left_hand == 0).all()
    for array in (points.body, points.face, points.right_hand):
        inside = array[array[:, 2] > 0]
        assert (inside[:, :2] >= 0).all() and (inside[:, :2] < 128).all()
        assert (array[array[:, 2] == 0] == 0).all()


def test_keypoints_grow_with_the_picture():
    small, large = (keypoints_of(random_identity(4), FigurePose(), size) for size in (128, 256))
    np.testing.assert_allclose(large.face[:, :2], 2 * small.face[:, :2], rtol=1e-5)


def test_a_pose_gives_every_person_the_same_angles():
    pose = random_pose(8, facing=True)
    still = {f"{side}_{name}": 0.0 for side in ("right", "left") for name in ("upper_arm_forward", "forearm_forward")}
    pose = replace(pose, turn=0.0, **still)
    first, second = (place(random_identity(seed).proportions, pose, 128) for seed in (10, 11))
    for name in ("right_arm", "left_arm", "right_leg", "left_leg"):
        a, b = getattr(first, name), getattr(second, name)
        turn = (a.middle - a.root) / (b.middle - b.root)
        assert abs(turn.imag / turn.real) < 1e-9 and turn.real > 0


def test_the_mask_is_where_the_picture_differs_from_the_empty_scene():
    for seed in range(20):
        identity = random_identity(seed)
        made = render(identity, random_pose(seed))
        empty = cv2.resize(background(identity.background, 128), (128, 128), interpolation=cv2.INTER_AREA)[..., :3]
        differs = (made.image != empty).any(axis=2)
        around = cv2.dilate(made.person_mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        outside = differs & ~around
        assert not outside[:100].any()  # a shadow lies on the floor
        assert differs[made.person_mask].mean() > 0.98


def test_expression_changes_only_the_face():
    calm = FigurePose()
    other = replace(calm, brow_raise=1.0, brow_frown=0.6, eye_open=0.4, gaze_x=0.8, gaze_y=0.3, mouth_open=0.9,
                    mouth_smile=-0.5, mouth_width=0.5)  # fmt: skip
    assert all(getattr(calm, name) != getattr(other, name) for name in EXPRESSION_NAMES)
    for seed in range(12):
        person = replace(random_identity(seed), glasses="", hat="", hair_style="crop", view=View())
        a, b = (render(person, pose) for pose in (calm, other))
        changed = np.argwhere((a.image != b.image).any(axis=2))
        face = a.keypoints.face[:, :2]
        assert len(changed) > 20
        assert (changed[:, ::-1] >= face.min(0) - 4).all() and (changed[:, ::-1] <= face.max(0) + 4).all()
        assert (a.person_mask != b.person_mask).sum() < 16  # the chin drops with an open mouth
        np.testing.assert_array_equal(a.keypoints.left_hand, b.keypoints.left_hand)


def test_an_arm_behind_the_body_is_hidden_by_it():
    pose = FigurePose(right_shoulder=0.6, right_elbow=-1.9, right_curl=1.0)
    front = render(random_identity(1), pose)
    back = render(random_identity(1), replace(pose, right_arm_front=-1.0))
    x, y = front.keypoints.right_hand[9, :2].astype(int)
    assert (front.image[y, x] != back.image[y, x]).any()
    np.testing.assert_array_equal(front.keypoints.body, back.keypoints.body)


def test_people_differ_before_the_same_background():
    pictures = [render(replace(random_identity(s), background=7), FigurePose()) for s in range(40)]
    for i, a in enumerate(pictures):
        for b in pictures[:i]:
            difference = np.abs(a.image.astype(int) - b.image)[a.person_mask | b.person_mask]
            assert difference.mean() > 12


def test_backgrounds_differ_and_leave_the_person_alone():
    one, two = (render(replace(random_identity(5), background=seed), FigurePose()) for seed in (1, 2))
    np.testing.assert_array_equal(one.person_mask, two.person_mask)
    inner = cv2.erode(one.person_mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert (one.image[inner] == two.image[inner]).mean() > 0.99  # a seam between two shapes may shine through
    assert (one.image[~one.person_mask] != two.image[~one.person_mask]).mean() > 0.5


def test_every_style_occurs():
    people = [random_identity(seed) for seed in range(400)]
    assert {p.hair_style for p in people} == set(HAIR_STYLES)
    assert {p.bottom_kind for p in people} == set(BOTTOM_KINDS)
    assert {p.beard for p in people} == set(BEARDS)
    assert {p.glasses for p in people} == set(GLASSES)
    assert {p.hat for p in people} == set(HATS)
    assert {p.logo.kind for p in people if p.logo} == set(LOGOS)
    assert {p.top.kind for p in people} == set(CLOTH_KINDS)
    assert 0.4 < np.mean([p.view.close_up for p in people]) < 0.6


def test_a_standing_figure_fills_the_picture():
    for seed in range(20):
        person = _head_to_toe(seed)
        rows = np.flatnonzero(render(person, FigurePose()).person_mask.any(axis=1))
        tall = person.proportions.height
        assert tall - 0.03 < (rows[-1] - rows[0] + 1) / 128 < tall + 0.16  # hair and hats add some


def test_a_close_up_shows_a_head_of_a_third_of_the_picture():
    close = [p for p in map(random_identity, range(60)) if p.view.close_up]
    for person in close:
        head = place(person.proportions, FigurePose(), 256, person.view).head
        assert 0.29 < 2 * head.half_height / 256 < 0.43
        top = (head.centre.imag - head.half_height) / 256
        assert 0.05 < top < 0.25
        points = keypoints_of(person, FigurePose())
        assert (points.face[:, 2] == 1).all() and (points.body[[10, 13]] == 0).all()


def test_a_turned_back_shows_no_face():
    for seed in range(12):
        front, back = (keypoints_of(random_identity(seed), FigurePose(turn=turn)) for turn in (0.0, 3.0))
        assert (front.face[:, 2] == 1).all() and front.face_seen[17:].all()
        assert (back.face == 0).all() and not back.face_seen.any()
        assert (back.body[[0, 14, 15]] == 0).all() and (back.body[[16, 17], 2] == 1).all()
        assert front.body[2, 0] < front.body[5, 0] and back.body[2, 0] > back.body[5, 0]


def test_a_profile_hides_the_far_side():
    points = keypoints_of(_head_to_toe(3), FigurePose(turn=1.4))
    assert points.body[0, 0] > points.body[1, 0]  # looks to the picture's right
    assert not points.face_seen[42:48].any() and points.face_seen[36:42].all()  # the person's left eye is far
    assert points.body[17, 2] == 0 and points.body[16, 2] == 1


def test_what_the_body_hides_is_not_seen():
    pose = FigurePose(right_shoulder=0.6, right_elbow=-1.9, right_curl=1.0)
    front, back = (keypoints_of(_head_to_toe(1), replace(pose, right_arm_front=side)) for side in (1.0, -1.0))
    assert front.right_hand_seen.all() and not back.right_hand_seen.any()
    assert (back.right_hand[:, 2] == 1).all()  # hidden points keep their place and confidence


def test_patterns_move_with_the_limb():
    """What is painted on a forearm is found at the same place of the forearm in another pose."""
    shirt = Cloth("stripes", ((240, 240, 240), (30, 30, 120)), 5)
    person = replace(_head_to_toe(9), top=shirt, jacket=None, sleeves=1.0, light=Light(strength=0.0))
    lines = []
    for shoulder in (1.0, 1.6):
        pose = FigurePose(right_shoulder=shoulder)
        arm = place(person.proportions, pose, 256).right_arm
        image = render(person, pose, 256).image
        places = arm.root + np.linspace(0.35, 0.95, 40) * (arm.middle - arm.root)
        lines.append(image[places.imag.astype(int), places.real.astype(int)].astype(float))
    assert np.abs(lines[0] - lines[1]).mean() < 25
    assert lines[0].std() > 20


def test_a_logo_is_on_the_front():
    person = replace(_head_to_toe(9), jacket=None, top=Cloth("flat", ((200, 40, 40),)), hair_style="short")
    marked = replace(person, logo=Logo("star", (250, 250, 250)))
    differs = {turn: (render(person, FigurePose(turn=turn)).image != render(marked, FigurePose(turn=turn)).image).sum()
               for turn in (0.0, 1.0, 3.1)}  # fmt: skip
    assert differs[0.0] > differs[1.0] > 30 and differs[3.1] == 0


def test_a_scene_is_shared_with_its_camera():
    person = with_scene(random_identity(1), random_identity(2))
    assert (person.view, person.light) == (random_identity(2).view, random_identity(2).light)
    assert person.top == random_identity(1).top


def test_track_holds_the_rendered_keypoints():
    identity, poses = random_identity(6), [random_pose(s) for s in range(3)]
    track = track_of(identity, poses, 160, 24)
    assert (len(track), track.width, track.height, track.fps) == (3, 160, 160, 24)
    np.testing.assert_array_equal(track.face[1], render(identity, poses[1], 160).keypoints.face)
    assert len(track_of(identity, [], 160, 24)) == 0
