import threading
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from magicpose_cli.core.clip import Clip
from magicpose_cli.core.errors import InputError, NoPersonError, UsageError
from magicpose_cli.pose.detector import PARTS, PersonPose, PoseDetector
from magicpose_cli.pose.track import choose_person, decoded_ahead, extract_track

WIDTH, HEIGHT = 96, 64


class SquareDetector(PoseDetector):
    """Finds white squares: each is a person whose nose and ankle are its corners. It needs no models."""

    name, version, finds_many = "squares", "1", True

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


CLIP = [frame_with((0, 10), (20, 30), (70, 20)), frame_with(), frame_with((5, 12)), frame_with((40, 8), (60, 16))]


def noses(track) -> list[float]:
    return track.body[:, 0, 0].tolist()


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ("largest", [20, 0, 5, 60]),
        ("left", [0, 0, 5, 40]),
        ("right", [70, 0, 5, 60]),
        ("0", [0, 0, 5, 40]),
        ("1", [20, 0, 0, 60]),
        ("2", [70, 0, 0, 0]),
    ],
)
def test_the_person_asked_for_is_taken(person, expected):
    track = extract_track(clip_of(CLIP), SquareDetector(), person=person)
    assert noses(track) == expected
    assert (track.width, track.height, track.fps) == (WIDTH, HEIGHT, Fraction(30000, 1001))
    assert not any(getattr(track, part)[1].any() for part in PARTS)


def test_confidences_and_pixels_arrive_untouched():
    track = extract_track(clip_of(CLIP), SquareDetector())
    np.testing.assert_array_equal(track.body[2, [0, 10]], [[5, 0, 0.5], [17, 12, 0.75]])


def test_frames_and_poses_are_shown_in_order():
    seen = []
    detector = SquareDetector()
    extract_track(clip_of(CLIP), detector, on_frame=lambda i, f, p: seen.append((i, f.sum(), p and p.box)))
    assert [(i, total) for i, total, _ in seen] == [(i, f.sum()) for i, f in enumerate(CLIP)]
    assert [box is None for _, _, box in seen] == [False, True, False, False]
    assert detector.resets == 1


def test_a_clip_that_ends_early_gives_the_frames_it_has():
    clip = Clip(Path("x"), WIDTH, HEIGHT, Fraction(25), 99, lambda: iter(CLIP))
    assert len(extract_track(clip, SquareDetector())) == len(CLIP)


def test_nobody_anywhere_is_an_error_that_names_the_file():
    with pytest.raises(NoPersonError, match=r"driver\.mp4.* any of its 3 frames"):
        extract_track(clip_of([frame_with()] * 3), SquareDetector())
    with pytest.raises(NoPersonError, match=r"driver\.mp4.* the picture"):
        extract_track(clip_of([frame_with()]), SquareDetector())
    with pytest.raises(NoPersonError, match="'7'"):
        extract_track(clip_of(CLIP), SquareDetector(), person="7")


def test_a_clip_without_frames_is_an_input_error():
    with pytest.raises(InputError, match=r"driver\.mp4"):
        extract_track(clip_of([]), SquareDetector())


@pytest.mark.parametrize("person", ["middle", "-1", "1.5", "", "²", "largest "])
def test_an_unknown_person_is_refused_before_any_work(person):
    with pytest.raises(UsageError, match="unknown person"):
        extract_track(clip_of([]), SquareDetector(), person=person)


def test_a_detector_of_one_cannot_choose():
    class One(SquareDetector):
        finds_many = False

    for person in ("left", "right", "1", "02"):
        with pytest.raises(UsageError, match="squares"):
            extract_track(clip_of(CLIP), One(), person=person)
    for person in ("largest", "0"):
        extract_track(clip_of(CLIP[2:3]), One(), person=person)


def test_people_without_a_point_are_nobody():
    assert choose_person([PersonPose.empty()], "largest") is None
    assert choose_person([], "0") is None


def test_an_error_while_decoding_comes_after_the_frames_before_it():
    def broken() -> Iterator[np.ndarray]:
        yield from CLIP
        raise InputError("driver.mp4: cut off")

    seen = []
    clip = Clip(Path("driver.mp4"), WIDTH, HEIGHT, Fraction(25), 9, broken)
    with pytest.raises(InputError, match="cut off"):
        extract_track(clip, SquareDetector(), on_frame=lambda i, f, p: seen.append(i))
    assert seen == [0, 1, 2, 3]


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
        extract_track(clip_of(CLIP * 50), SquareDetector(), on_frame=lambda i, f, p: 1 / 0)
    assert threading.active_count() == threads
