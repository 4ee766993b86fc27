import numpy as np
import pytest

from magicpose_cli.core.keypoints import BODY_COUNT, BODY_MIRRORED
from magicpose_cli.pose.detector import PersonPose
from magicpose_cli.pose.follow import difference, follow, number_there_at_once

FPS = 25.0


def pose(points: np.ndarray) -> PersonPose:
    return PersonPose(points[:18], points[18:39], points[39:60], points[60:])


def clip_of(*people: np.ndarray, absent: dict[int, range] | None = None, seed: int = 0) -> list[list[PersonPose]]:
    """What a detector would give: the people in any order, each with noise, without those who are absent."""
    chance = np.random.default_rng(seed)
    frames = []
    for index in range(len(people[0])):
        seen = []
        for number, person in enumerate(people):
            points = person[index].copy()
            points[:, :2] += chance.normal(0, 2, (130, 2))
            if points[:, 2].any() and index not in (absent or {}).get(number, ()):
                seen.append(pose(points))
        frames.append([seen[n] for n in chance.permutation(len(seen))])
    return frames


def errors(person, truth: np.ndarray) -> float:
    """The largest mean distance of a frame's points to the truth, in pixels."""
    return max(
        float(np.linalg.norm(points[:18, :2] - truth[index, :18, :2], axis=1).mean())
        for index, points in zip(person.frames, person.points, strict=True)
    )


def test_people_who_cross_stay_themselves(dance):
    right = dance(100, start=100, speed=120)
    left = dance(100, start=560, speed=-120, height=360)
    hidden = range(44, 54)  # the one behind is not seen while they cross
    for seed in range(5):
        people = follow(clip_of(right, left, absent={1: hidden}, seed=seed), FPS)
        assert len(people) == 2
        assert errors(people[0], right) < 6 and errors(people[1], left) < 6
        assert len(people[0].frames) == 100
        assert people[1].frames.tolist() == [n for n in range(100) if n not in hidden]


def test_doubt_is_told_where_two_come_close_and_only_there(dance):
    right, left = dance(100, start=100, speed=120, wave=1), dance(100, start=560, speed=-120, wave=1)
    meet = int(np.argmin(np.abs(right[:, 1, 0] - left[:, 1, 0])))
    people = follow(clip_of(right, left), FPS)
    assert people[0].doubtful
    assert max(abs(index - meet) for index in people[0].doubtful) < 12
    assert not follow(clip_of(dance(50, start=100), dance(50, start=500)), FPS)[0].doubtful


def test_left_and_right_mixed_up_is_no_other_person(dance):
    truth, other = dance(60), dance(60, start=420)
    mixed = truth.copy()
    mixed[20:40, :BODY_COUNT] = mixed[20:40, list(BODY_MIRRORED)]
    people = follow(clip_of(mixed, other), FPS)
    assert [len(person.frames) for person in people] == [60, 60]
    assert difference(truth[20], mixed[20]) < 0.05 < difference(truth[20], other[20])


def test_numbers_count_from_the_left_of_the_beginning_and_go_on_in_time(dance):
    late = dance(100, start=50)
    late[:60] = 0
    soon = dance(100, start=700)
    soon[:10] = 0  # within the first second
    people = follow(clip_of(dance(100, start=500), late, soon, dance(100, start=250)), FPS)
    assert [float(person.points[0, 1, 0]) for person in people] == pytest.approx([250, 500, 700, 50], abs=25)
    assert number_there_at_once(people, FPS) == 3


def test_who_is_seen_shortly_or_quivers_is_nobody(dance):
    short = dance(100, start=700)
    short[8:] = 0
    quivering = dance(100, start=900)
    quivering[..., :2] += np.random.default_rng(0).normal(0, 40, (100, 1, 2))
    people = follow(clip_of(dance(100), short, quivering), FPS)
    assert len(people) == 1
    assert len(follow(clip_of(dance(3), dance(3, start=600)), FPS)) == 2  # a clip too short to ask for more


def quivering(points: np.ndarray, pixels: float) -> list[list[PersonPose]]:
    """The person with noise at each point, as from a detector that looks at each frame afresh."""
    noise = np.random.default_rng(0).normal(0, pixels, (*points.shape[:2], 2))
    shaken = np.concatenate([points[..., :2] + noise, points[..., 2:]], axis=2)
    return [[pose(frame)] if frame[:, 2].any() else [] for frame in shaken]


def test_a_small_person_may_quiver_by_a_pixel(dance):
    small = dance(100, height=60)
    small[50:] = 0
    assert len(follow(quivering(small, 1), FPS)) == 1


def test_the_only_one_is_nobody_only_where_he_quivers_strongly_and_is_not_seen_throughout(dance):
    whole, part = dance(100), dance(100)
    part[55:] = 0
    assert len(follow(quivering(whole, 12), FPS)) == 1
    assert len(follow(quivering(part, 6), FPS)) == 1
    assert follow(quivering(part, 12), FPS) == []


@pytest.mark.parametrize("away", [range(30, 60), range(20, 120)])
def test_somebody_who_comes_back_is_the_same(dance, away):
    people = follow(clip_of(dance(150), dance(150, start=700), absent={0: away}), FPS)
    assert len(people) == 2
    assert len(people[0].frames) == 150 - len(away)


def test_the_only_person_is_the_same_after_a_cut_and_that_is_told(dance):
    shown = dance(80)
    shown[40:] = dance(80, start=900, height=700)[40:]
    people = follow(clip_of(shown), FPS)
    assert len(people) == 1
    assert people[0].doubtful == (40,)


def test_two_people_in_turn_at_other_places_are_two(dance):
    first, second, third = dance(150), dance(150, start=900, height=700), dance(150, start=500)
    first[50:], second[:50] = 0, 0
    assert len(follow(clip_of(first, second, third), FPS)) == 3


def test_nobody():
    assert follow([[], [PersonPose.empty()]], FPS) == []
