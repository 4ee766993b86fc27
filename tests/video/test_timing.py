from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.video.timing import at_constant_rate, frames_in, measure

MS = Fraction(1, 1000)
RATES = st.sampled_from([Fraction(r) for r in (8, 10, 12, 24, 25, 30, 50, 60)] + [Fraction(30000, 1001)])


def shown(times: list[Fraction], fps: Fraction, count: int, source_fps: Fraction) -> list[int]:
    return list(at_constant_rate(((t, i) for i, t in enumerate(times)), times[0], fps, count, source_fps))


@given(RATES, st.integers(1, 200), st.integers(0, 10**6))
def test_a_constant_clip_comes_out_frame_by_frame_though_its_clock_counts_milliseconds(
    fps: Fraction, count: int, start: int
) -> None:
    stamps = [start + round(i * 1000 / fps) for i in range(count)]
    timing = measure(stamps, round(1000 / fps), MS, fps)
    assert not timing.variable
    assert timing.fps == fps
    assert frames_in(timing.duration, fps) == count
    assert shown([s * MS for s in stamps], fps, count, fps) == list(range(count))


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), RATES)
def test_any_rate_gives_the_asked_count_in_order_and_each_picture_near_its_time(gaps: list[int], fps: Fraction) -> None:
    stamps = [0]
    for gap in gaps:
        stamps.append(stamps[-1] + gap)
    times = [s * MS for s in stamps]
    count = frames_in(times[-1] + Fraction(1, 25), fps)
    pictures = shown(times, fps, count, Fraction(10))
    assert len(pictures) == count
    assert pictures == sorted(pictures)
    late = 1 / (2 * max(fps, Fraction(10)))
    for position, picture in enumerate(pictures):
        now = position / fps
        assert times[picture] <= now + late  # not shown too early …
        assert all(t > now + late for t in times[picture + 1 :])  # … and no newer one held back


def test_a_clip_with_pauses_keeps_the_rate_of_its_usual_gap() -> None:
    stamps = [0, 250, 500, 1000, 1250, 1500, 2000, 2250]
    timing = measure(stamps, 250, MS, None)
    assert timing.variable
    assert timing.fps == 4
    assert timing.duration == Fraction(5, 2)


def test_the_declared_rate_is_not_believed_against_the_stamps() -> None:
    assert measure([i * 40 for i in range(50)], 40, MS, Fraction(60)).fps == 25


def test_halving_the_rate_takes_every_second_frame_and_doubling_shows_each_twice() -> None:
    times = [Fraction(i, 30) for i in range(10)]
    assert shown(times, Fraction(15), 5, Fraction(30)) == [0, 2, 4, 6, 8]
    assert shown(times, Fraction(60), 20, Fraction(30)) == [i // 2 for i in range(20)]


@pytest.mark.parametrize("declared", [None, Fraction(0), Fraction(10)])
def test_one_frame_lasts_one_frame(declared: Fraction | None) -> None:
    timing = measure([777], 0, MS, declared)
    assert frames_in(timing.duration, timing.fps) == 1


def test_no_pictures_give_no_pictures() -> None:
    assert list(at_constant_rate(iter([]), Fraction(0), Fraction(25), 10, Fraction(25))) == []


def test_two_kinds_of_gaps_with_the_median_between_them() -> None:
    timing = measure([0, 40, 440], 0, MS, None)
    assert timing.variable
    assert timing.fps == 25
