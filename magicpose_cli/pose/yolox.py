"""People's boxes by YOLOX: the picture it sees, and its output read.

Source: YOLOX (Ge et al., 2021, arXiv 2107.08430): strides 8, 16, 32; each cell tells its box's middle as an offset in
cells and its size as a logarithm in strides.
"""

import numpy as np

STRIDES = (8, 16, 32)
PERSON = 0  # of COCO's 80 classes
_GREY = 114


def letterboxed(picture: np.ndarray, width: int, height: int) -> tuple[np.ndarray, float]:
    """RGB uint8 → BGR float32 (3, height, width), 0 to 255, scaled to fit, grey right and below; and the scale."""
    import cv2

    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = max(1, int(picture.shape[1] * scale)), max(1, int(picture.shape[0] * scale))
    box = np.full((height, width, 3), _GREY, np.uint8)
    box[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(box[:, :, ::-1].transpose(2, 0, 1), dtype=np.float32), scale


def cells(width: int, height: int) -> np.ndarray:
    """(cells, 3): column, row and stride of each cell, in the order of the network's output."""
    grids = []
    for stride in STRIDES:
        row, column = np.mgrid[: height // stride, : width // stride]
        grids.append(np.stack([column, row, np.full_like(row, stride)], axis=2).reshape(-1, 3))
    return np.concatenate(grids)


def find_boxes(output: np.ndarray, width: int, height: int, threshold: float, overlap: float) -> np.ndarray:
    """(cells, 5 + classes) of one picture → people (n, 5): left, top, right, bottom in its input's pixels, score.

    Of boxes that overlap by more than ``overlap`` (intersection over union) the surest stays; the surest first.
    """
    column, row, stride = cells(width, height).T
    score = output[:, 4] * output[:, 5 + PERSON]
    sure = score > threshold
    output, column, row, stride = output[sure], column[sure], row[sure], stride[sure]
    x, y = (output[:, 0] + column) * stride, (output[:, 1] + row) * stride
    half_width, half_height = np.exp(output[:, 2]) * stride / 2, np.exp(output[:, 3]) * stride / 2
    boxes = np.stack([x - half_width, y - half_height, x + half_width, y + half_height, score[sure]], axis=1)
    return without_overlaps(boxes, overlap)


def without_overlaps(boxes: np.ndarray, overlap: float) -> np.ndarray:
    """Non-maximum suppression of (n, 5) boxes: left, top, right, bottom, score; what stays, the surest first."""
    left = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[_shared(best, left) <= overlap]
    return np.array(kept).reshape(-1, 5)


def _shared(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with each of (n, 5)."""
    start, end = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:4], others[:, 2:4])
    common = np.prod((end - start).clip(min=0), axis=1)
    areas = np.prod(others[:, 2:4] - others[:, :2], axis=1)
    return common / (np.prod(box[2:4] - box[:2]) + areas - common).clip(min=1e-9)
