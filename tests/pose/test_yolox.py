"""YOLOX's output against boxes worked out by hand."""

import numpy as np
import pytest

from magicpose_cli.pose.yolox import cells, find_boxes, letterboxed, without_overlaps


def output_with(entries: dict[int, tuple], size: int = 64) -> np.ndarray:
    """(cells, 7): two classes; cell → x, y, log width, log height, objectness, person, other."""
    found = np.zeros((len(cells(size, size)), 7), np.float32)
    for cell, values in entries.items():
        found[cell] = values
    return found


def test_cells_come_row_by_row_the_finest_stride_first():
    grid = cells(64, 32)
    assert len(grid) == 8 * 4 + 4 * 2 + 2 * 1
    assert grid[0].tolist() == [0, 0, 8] and grid[9].tolist() == [1, 1, 8]
    assert grid[32 + 5].tolist() == [1, 1, 16] and grid[-1].tolist() == [1, 0, 32]


def test_a_cell_tells_middle_and_size_of_its_box():
    # Cell 10 of stride 8 is column 2, row 1; cell 64 + 6 of stride 16 is column 2, row 1.
    output = output_with({10: (0.5, 0.25, np.log(2), np.log(3), 0.9, 0.8, 0), 70: (0, 0, 0, 0, 1, 0.5, 0.9)})
    boxes = find_boxes(output, 64, 64, 0.3, 0.45)
    np.testing.assert_allclose(boxes[0], (20 - 8, 10 - 12, 20 + 8, 10 + 12, 0.72), rtol=1e-5)
    np.testing.assert_allclose(boxes[1], (32 - 8, 16 - 8, 32 + 8, 16 + 8, 0.5), rtol=1e-5)


def test_only_sure_people_count():
    output = output_with({3: (0, 0, 0, 0, 0.5, 0.5, 0), 4: (0, 0, 0, 0, 1, 0.2, 1)})
    assert find_boxes(output, 64, 64, 0.3, 0.45).shape == (0, 5)


def test_of_overlapping_boxes_the_surest_stays():
    boxes = np.array([(0, 0, 10, 10, 0.5), (1, 0, 11, 10, 0.9), (5, 0, 15, 10, 0.7), (0, 20, 10, 30, 0.3)], np.float32)
    # With the second: the first shares 9/11, the third 6/14.
    assert without_overlaps(boxes, 0.45)[:, 4].tolist() == pytest.approx([0.9, 0.7, 0.3])
    assert without_overlaps(boxes, 0.4)[:, 4].tolist() == pytest.approx([0.9, 0.3])
    assert without_overlaps(boxes, 0.9)[:, 4].tolist() == pytest.approx([0.9, 0.7, 0.5, 0.3])


def test_boxes_without_area_are_no_error():
    assert len(without_overlaps(np.array([(1, 1, 1, 1, 0.5), (1, 1, 1, 1, 0.4)], np.float32), 0.45)) == 2


@pytest.mark.parametrize(
    ("shape", "scale"), [((100, 200), 0.32), ((200, 50), 0.32), ((32, 32), 2.0), ((1, 5000), 0.0128)]
)
def test_a_picture_is_fitted_into_the_square(shape, scale):
    picture = np.zeros((*shape, 3), np.uint8)
    picture[:, :] = (250, 20, 60)
    values, found = letterboxed(picture, 64, 64)
    assert found == pytest.approx(scale) and values.shape == (3, 64, 64) and values.dtype == np.float32
    height, width = max(1, int(shape[0] * scale)), max(1, int(shape[1] * scale))
    assert (values[:, :height, :width] == np.array((60, 20, 250))[:, None, None]).all()  # BGR
    assert (values[:, height:] == 114).all() and (values[:, :, width:] == 114).all()
