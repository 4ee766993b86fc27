from collections.abc import Callable

import numpy as np
import pytest

from magicpose_cli.video.side_by_side import panel_size, side_by_side


@pytest.mark.parametrize("height", [64, 128, 511])
def test_panels_have_one_height_and_the_told_size(height: int, drawn: Callable) -> None:
    still = np.full((100, 50, 3), 200, np.uint8)
    frames = list(side_by_side([("reference", still), ("pose", iter(drawn(4))), ("result", drawn(3))], height))
    assert len(frames) == 3  # ends with the shortest clip
    width, whole = panel_size([(50, 100), (64, 48), (64, 48)], height)
    assert width % 2 == whole % 2 == 0
    assert all(f.shape == (whole, width, 3) and f.dtype == np.uint8 for f in frames)


def test_pictures_stand_unchanged_in_order_and_in_step(drawn: Callable) -> None:
    left, right = drawn(5), [255 - f for f in drawn(5)]
    for index, frame in enumerate(side_by_side([("a", left), ("b", right)], 48)):
        gap = 2
        assert (frame[gap : gap + 48, gap : gap + 64] == left[index]).all()
        assert (frame[gap : gap + 48, 2 * gap + 64 : 2 * gap + 128] == right[index]).all()


def test_labels_are_drawn_below_each_panel_and_long_ones_fit(drawn: Callable) -> None:
    (frame,) = side_by_side([("a", drawn(1)[0]), ("", drawn(1)[0]), ("long " * 40, drawn(1)[0])], 96)
    strip = frame[2 + 96 + 1 :, :, 0] > 100
    panel = 128
    first, second, third = (strip[:, 2 + i * (panel + 2) : 2 + i * (panel + 2) + panel] for i in range(3))
    assert first.any()
    assert not second.any()
    assert third.any()
    assert not strip[:, 2 + panel : 4 + panel].any()


def test_stills_alone_make_one_frame_and_no_frames_make_none(drawn: Callable) -> None:
    assert len(list(side_by_side([("a", drawn(1)[0])], 64))) == 1
    assert list(side_by_side([("a", []), ("b", drawn(3))], 64)) == []
    assert list(side_by_side([], 64)) == []
