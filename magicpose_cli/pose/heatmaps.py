"""Points out of heatmaps, in torch, on the device where the network left them.

Shapes: N maps' owners (frames or crops), K points, (h, w) the network's grid, P peaks of one map at most. A cell of
the grid covers ``STRIDE`` pixels of the network's input; positions are in those pixels, a pixel's middle at 0.5.
Source: OpenPose (Cao et al., 2019, arXiv 1812.08008): part confidence maps and their maxima.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

STRIDE = 8
MAX_PEAKS = 64  # of one point in one frame; the strongest. A texture full of false peaks must not fill the memory
_FINER = 4  # the grid is refined so far before a parabola through three cells gives the rest


def find_peaks(maps: Tensor, threshold: float, width: float, height: float) -> tuple[Tensor, Tensor]:
    """All local maxima of each map above ``threshold``, the strongest first.

    maps: (N, K, h, w) → positions (N, K, P, 2) as x, y and scores (N, K, P), 0 where there are fewer. Only the first
    ``width`` × ``height`` pixels of the input count; what is beyond is padding.
    """
    fine = _finer(maps)[..., : round(height * _FINER / STRIDE), : round(width * _FINER / STRIDE)]
    # A cell is a peak where it is the first of the highest among its neighbours: of equal ones side by side one counts.
    _, highest = F.max_pool2d(fine, 3, stride=1, padding=1, return_indices=True)
    own = torch.arange(fine[0, 0].numel(), device=fine.device).view(fine.shape[2:])
    peaks = torch.where((highest == own) & (fine > threshold), fine, fine.new_zeros(()))
    scores, places = peaks.flatten(2).topk(min(MAX_PEAKS, peaks[0, 0].numel()))  # (N, K, P)
    return _positions(fine, places), scores


def find_highest(maps: Tensor, threshold: float) -> Tensor:
    """The highest place of each map: (N, K, h, w) → (N, K, 3) x, y, score; all 0 where no cell is over ``threshold``.

    Each point stays at its own index, whichever others are missing.
    """
    fine = _finer(maps)
    scores, places = fine.flatten(2).max(dim=2, keepdim=True)  # (N, K, 1)
    found = torch.cat([_positions(fine, places)[:, :, 0], scores], dim=2)
    return torch.where(scores > threshold, found, found.new_zeros(()))


def _finer(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=_FINER, mode="bicubic", align_corners=False)


def _positions(fine: Tensor, places: Tensor) -> Tensor:
    """Flat indices (N, K, P) into (N, K, H, W) → x, y (N, K, P, 2) between the cells, by a parabola along each axis."""
    height, width = fine.shape[2:]
    row, column = places // width, places % width
    flat = fine.flatten(2)

    def at(rows: Tensor, columns: Tensor) -> Tensor:
        return flat.gather(2, rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1))

    middle = at(row, column)
    x = column + 0.5 + _vertex(at(row, column - 1), middle, at(row, column + 1))
    y = row + 0.5 + _vertex(at(row - 1, column), middle, at(row + 1, column))
    return torch.stack([x, y], dim=3) * (STRIDE / _FINER)


def _vertex(before: Tensor, middle: Tensor, after: Tensor) -> Tensor:
    """Where the parabola through three neighbours has its top, as a share of a cell from the middle one."""
    bend = (2 * middle - before - after).clamp(min=1e-9)
    return ((after - before) / (2 * bend)).clamp(-0.5, 0.5)
