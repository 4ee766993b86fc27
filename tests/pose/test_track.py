import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.core.clip import Clip
from magicpose_cli.core.errors import InputError, NoPersonError, UsageError
from magicpose_cli.pose.detector import PARTS, PersonPose, PoseDetector
from magicpose_cli.pose.track import choose_largest, decoded_ahead, extract_track, find_people, pose_at

WIDTH, HEIGHT = 96, 64


class SquareDetector(PoseDetector):
    """Finds white squares: each is a person whose nose and ankle are its corners. It needs no models."""

    name, version = "squares", "1"

    def __init__(self) -> None:
        self.resets = 0

    def detect(self, frame: np.ndarray) -> list[PersonPose]:
        columns = np.flatnonzero((frame == 255).all(axis=2).any(axis=0))
        people = []
        for run in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1):
            if len(run):
                body = np.zeros((18, 3), np.float32)
                body[0] = run[0], 0, 0.5
                body[10] = run[-1] + 1, len(run), 0.75
                people.append(PersonPose(**(vars(PersonPose.empty()) | {"body": body})))
        return people[::-1]

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None: ...


def frame_with(*squares: tuple[int, int]) -> np.ndarray:
    """Squares as (left, side)."""
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for left, side in squares:
        frame[:side, left : left + side] = 255
    return frame


def clip_of(frames: list[np.ndarray]) -> Clip:
    return Clip(Path("driver.mp4"), WIDTH, HEIGHT, Fraction(30000, 1001), len(frames), lambda: iter(frames))


# Three squares that walk to the right together; the largest in the middle. Nobody is in frame 5; a fourth comes late.
CLIP = [frame_with((i, 10), (20 + i, 30), (60 + i, 14)) for i in range(5)]
CLIP += [frame_with()]
CLIP += [frame_with((i, 10), (20 + i, 30), (60 + i, 14), (80 + i, 8)) for i in range(6, 12)]


def walks_from(left: int) -> list[float]:
    return [0 if i == 5 else left + i for i in range(12)]


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ("largest", walks_from(20)),
        ("left", walks_from(0)),
        ("0", walks_from(0)),
        ("1", walks_from(20)),
        ("2", walks_from(60)),
        ("3", [0] * 6 + [80 + i for i in range(6, 12)]),
        ("right", [0] * 6 + [80 + i for i in range(6, 12)]),  # within the first second
    ],
)
def test_the_person_asked_for_is_followed(person, expected):
    followed = extract_track(clip_of(CLIP), SquareDetector(), person=person, raw=True)
    assert followed.track.body[:, 0, 0].tolist() == expected
    assert (followed.track.width, followed.track.height, followed.track.fps) == (WIDTH, HEIGHT, Fraction(30000, 1001))
    assert len(followed.people) == 4
    assert not any(getattr(followed.track, part)[5].any() for part in PARTS)


def test_raw_confidences_and_pixels_arrive_untouched():
    track = extract_track(clip_of(CLIP), SquareDetector(), raw=True).track
    np.testing.assert_array_equal(track.body[2, [0, 10]], [[22, 0, 0.5], [52, 30, 0.75]])


def test_a_short_absence_is_filled_and_marked():
    followed = extract_track(clip_of(CLIP), SquareDetector(), person="left")
    np.testing.assert_allclose(followed.track.body[5, 0], [5, 0, 0.4], atol=0.3)
    assert np.flatnonzero(followed.filled["body"]).tolist() == [5]
    assert not followed.swapped.any()


def test_each_frame_is_looked_at_once_after_a_reset():
    advanced = []
    detector = SquareDetector()
    found = find_people(clip_of(CLIP), detector, lambda: advanced.append(1))
    assert [len(people) for people in found] == [3] * 5 + [0] + [4] * 6
    assert (len(advanced), detector.resets) == (12, 1)


def test_a_pose_is_taken_out_of_a_track():
    track = extract_track(clip_of(CLIP), SquareDetector(), raw=True).track
    assert pose_at(track, 5) is None
    assert pose_at(track, 2).box == (22, 0, 52, 30)


def test_a_clip_that_ends_early_gives_the_frames_it_has():
    clip = Clip(Path("x"), WIDTH, HEIGHT, Fraction(25), 99, lambda: iter(CLIP))
    assert len(extract_track(clip, SquareDetector()).track) == len(CLIP)


def test_nobody_anywhere_is_an_error_that_names_the_file():
    with pytest.raises(NoPersonError, match=r"driver\.mp4.* any of its 3 frames"):
        extract_track(clip_of([frame_with()] * 3), SquareDetector())
    with pytest.raises(NoPersonError, match=r"driver\.mp4.* the picture"):
        extract_track(clip_of([frame_with()]), SquareDetector())
    with pytest.raises(NoPersonError, match=r"no person '7': 4 people were found, 0 to 3"):
        extract_track(clip_of(CLIP), SquareDetector(), person="7")


@pytest.mark.parametrize("raw", [False, True])
def test_somebody_of_whom_no_point_is_sure_is_nobody(raw):
    class UnsureDetector(SquareDetector):
        def detect(self, frame: np.ndarray) -> list[PersonPose]:
            return [replace(pose, body=pose.body * (1, 1, 0.2)) for pose in super().detect(frame)]

    with pytest.raises(NoPersonError, match=r"driver\.mp4.* no point .* is sure enough"):
        extract_track(clip_of(CLIP), UnsureDetector(), raw=raw)


def test_a_clip_without_frames_is_an_input_error():
    with pytest.raises(InputError, match=r"driver\.mp4"):
        extract_track(clip_of([]), SquareDetector())


@pytest.mark.parametrize("person", ["middle", "-1", "1.5", "", "²", "largest "])
def test_an_unknown_person_is_refused_before_any_work(person):
    with pytest.raises(UsageError, match="--person does not know") as refused:
        extract_track(clip_of([]), SquareDetector(), person=person)
    assert "largest, left, right; or a number" in refused.value.hint


def test_in_a_photo_the_largest_is_chosen():
    people = SquareDetector().detect(CLIP[0])
    assert choose_largest(people).box == (20, 0, 50, 30)
    assert choose_largest([PersonPose.empty()]) is None
    assert choose_largest([]) is None


def test_an_error_while_decoding_comes_after_the_frames_before_it():
    def broken() -> Iterator[np.ndarray]:
        yield from CLIP
        raise InputError("driver.mp4: cut off")

    seen = []
    clip = Clip(Path("driver.mp4"), WIDTH, HEIGHT, Fraction(25), 9, broken)
    with pytest.raises(InputError, match="cut off"):
        find_people(clip, SquareDetector(), lambda: seen.append(1))
    assert len(seen) == len(CLIP)


def test_decoding_stays_a_few_frames_ahead_and_ends_when_closed():
    made = []
    finished = threading.Event()

    def endless() -> Iterator[np.ndarray]:
        try:
            while True:
                made.append(1)
                yield CLIP[0]
        finally:
            finished.set()

    threads = threading.active_count()
    with closing(decoded_ahead(endless, ahead=2)) as frames:
        for taken in range(1, 20):
            next(frames)
            assert len(made) <= taken + 4  # two wait, one is in hand, one is being made
    assert finished.wait(10)
    assert threading.active_count() == threads


def test_a_failing_listener_ends_the_decoding_thread():
    threads = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        find_people(clip_of(CLIP * 50), SquareDetector(), lambda: 1 / 0)
    assert threading.active_count() == threads
