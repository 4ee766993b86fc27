from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.diffusion.windows import batches, windows


@st.composite
def plans(draw):
    length = draw(st.integers(1, 32))
    return draw(st.integers(1, 200)), length, draw(st.integers(0, length - 1)), draw(st.integers(0, 60))


@given(plans())
def test_weights_add_up_to_one_at_each_frame(plan):
    total = [0.0] * plan[0]
    for window in windows(*plan):
        assert len(window.weights) == len(window)
        for i, weight in enumerate(window.weights):
            assert weight > 0
            total[window.start + i] += weight
    assert total == pytest.approx([1.0] * plan[0])


@given(plans())
def test_windows_have_full_length_and_do_not_wrap(plan):
    frame_count, length, overlap, step = plan
    found = windows(frame_count, length, overlap, step)
    assert found[0].start == 0
    assert found[-1].stop == frame_count
    assert all(len(w) == min(length, frame_count) for w in found)
    for before, after in pairwise(found):
        assert before.start < after.start
        assert before.stop - after.start >= overlap


@given(plans(), st.data())
def test_a_part_of_the_clip_is_shown_by_the_same_windows(plan, data):
    frame_count = plan[0]
    start = data.draw(st.integers(0, frame_count - 1))
    stop = data.draw(st.integers(start + 1, frame_count))
    showing = [w for w in windows(*plan) if w.start < stop and start < w.stop]
    found = windows(*plan, start=start, stop=stop)
    assert [(w.start, w.stop) for w in found] == [(w.start, w.stop) for w in showing]
    for one, other in zip(found, showing, strict=True):
        assert one.weights == pytest.approx(other.weights)


@given(st.integers(1, 32), st.data())
def test_one_window_that_covers_all_is_no_window(length, data):
    frame_count = data.draw(st.integers(1, length))
    overlap, step = data.draw(st.integers(0, length - 1)), data.draw(st.integers(0, 60))
    assert windows(frame_count, length, overlap, step) == batches(frame_count, frame_count)
    assert windows(frame_count, length, overlap, step)[0].weights == (1.0,) * frame_count


def test_seams_move_from_step_to_step():
    first = [windows(64, 16, 4, step)[1].start for step in range(50)]
    assert all(before != after for before, after in pairwise(first))
    assert set(first) == set(range(1, 13))


def test_weights_rise_and_fall_as_a_triangle():
    alone = windows(40, 8, 2)[0].weights  # up to its sixth frame no other window answers
    assert alone[:6] == (1.0,) * 6
    assert windows(14, 8, 2)[1].weights[:2] == pytest.approx((1 / 3, 2 / 3))


@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 100))
def test_batches_take_each_frame_once(frame_count, rows, first):
    found = batches(frame_count, rows, first)
    assert [i for b in found for i in range(b.start, b.stop)] == list(range(first, first + frame_count))
    assert all(len(b) <= rows and set(b.weights) == {1.0} for b in found)


@pytest.mark.parametrize("plan", [(0, 4, 1), (4, 0, 0), (4, 4, 4), (4, 4, -1)])
def test_impossible_windows_are_an_error(plan):
    with pytest.raises(ValueError, match="no windows"):
        windows(*plan)
