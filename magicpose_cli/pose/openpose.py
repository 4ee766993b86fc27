"""OpenPose's body, hand and face networks as a detector: frames and crops in batches, heatmaps decoded on the device.

The weights are for non-commercial use only (CMU). Confidences are the heatmaps' values at the points.
Source: OpenPose (Cao et al., 2019, arXiv 1812.08008), hands: Simon et al., 2017 (arXiv 1704.07809).
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from magicpose_cli.core.device import choose_device
from magicpose_cli.core.keypoints import BODY_COUNT, FACE_COUNT, HAND_COUNT
from magicpose_cli.pose.crops import Square, cut, face_square, hand_square, scaled
from magicpose_cli.pose.detector import PersonPose, PoseDetector, check_frame
from magicpose_cli.pose.heatmaps import STRIDE, find_highest, find_peaks
from magicpose_cli.pose.openpose_networks import Networks, import_definitions, load_networks
from magicpose_cli.pose.part_affinity import associate

BODY_SIDE = 184  # pixels of a frame's shorter side as the body network sees it, as controlnet_aux has it
BODY_LONGEST = 4 * BODY_SIDE  # and of its longer side at most
HAND_SIDE, FACE_SIDE = 368, 384  # pixels of a crop as its network sees it
BODY_PEAK, CROP_PEAK = 0.1, 0.05  # a map's value below which its point is missing
_GREY = 128


class OpenPoseDetector(PoseDetector):
    """``PoseDetector`` on OpenPose's networks. Each frame is searched by itself.

    ``hand_scales``: sizes of the hand crops over ``HAND_SIDE``; the maps of several are averaged, which costs their
    squares in time.
    """

    name = "openpose"
    version = "body_pose_model"  # the body network: COCO's 18 points

    def __init__(self, networks: Networks, device: torch.device, hand_scales: tuple[float, ...] = (1.0,)) -> None:
        self._networks = networks
        self._device = device
        self._hand_scales = hand_scales
        self.device = str(device)
        self.batch_size = 4 if device.type == "cpu" else 16

    def detect(self, frame: np.ndarray) -> list[PersonPose]:
        return self.detect_batch([frame])[0]

    @torch.inference_mode()
    def detect_batch(self, frames: Sequence[np.ndarray]) -> list[list[PersonPose]]:
        """People in each of several frames of one size; their bodies are found first, then all hands, all faces."""
        for frame in frames:
            check_frame(frame)
        bodies = self.bodies(frames)
        owners = [(n, body) for n, found in enumerate(bodies) for body in found]
        pictures = [frames[n] for n, _ in owners]
        parts = {"body": [body for _, body in owners]}
        for part in ("left_hand", "right_hand"):
            squares = [hand_square(body, part) for _, body in owners]
            parts[part] = self.points_in(pictures, squares, HAND_SIDE, HAND_COUNT, self.hand_maps)
        squares = [face_square(body) for _, body in owners]
        parts["face"] = self.points_in(pictures, squares, FACE_SIDE, FACE_COUNT, self.face_maps)
        people: list[list[PersonPose]] = [[] for _ in frames]
        for row, (n, _) in enumerate(owners):
            height, width = frames[n].shape[:2]
            person = PersonPose(**{part: points[row] for part, points in parts.items()}).inside(width, height)
            if person.box is not None:
                people[n].append(person)
        return people

    def reset(self) -> None:
        """Nothing is remembered from frame to frame."""

    def close(self) -> None:
        """Free the networks; the detector is of no use afterwards."""
        del self._networks

    def bodies(self, frames: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """(18, 3) bodies in each frame, in its pixels."""
        height, width = frames[0].shape[:2]
        scale = min(BODY_SIDE / min(height, width), BODY_LONGEST / max(height, width))
        small = max(1, round(width * scale)), max(1, round(height * scale))
        pictures = self._tensor([scaled(frame, *small) for frame in frames])
        padding = (0, -small[0] % STRIDE, 0, -small[1] % STRIDE)
        fields, maps = self._networks.body(F.pad(pictures, padding))  # the padding's 0 is grey
        positions, scores = find_peaks(maps[:, :BODY_COUNT], BODY_PEAK, *small)
        factors = np.array([width / small[0], height / small[1], 1], np.float32)
        return [[body * factors for body in found] for found in associate(fields, positions, scores)]

    def points_in(
        self,
        pictures: list[np.ndarray],
        squares: list[Square | None],
        side: int,
        count: int,
        maps_of: Callable[[list[np.ndarray]], Tensor],
    ) -> list[np.ndarray]:
        """The (count, 3) in each square of its picture, in the picture's pixels; all 0 where there is no square."""
        there = [row for row, square in enumerate(squares) if square is not None]
        found = [np.zeros((count, 3), np.float32) for _ in squares]
        for start in range(0, len(there), self.batch_size):
            rows = there[start : start + self.batch_size]
            crops = [cut(pictures[row], squares[row], side) for row in rows]
            points = find_highest(maps_of(crops)[:, :count], CROP_PEAK).cpu().numpy()
            for row, each in zip(rows, points, strict=True):
                square = squares[row]
                factor = square.side / side
                moved = each * (factor, factor, 1) + (square.left, square.top, 0)
                found[row] = np.where(each[:, 2:] > 0, np.minimum(moved, (np.inf, np.inf, 1)), 0)
        return found

    def hand_maps(self, crops: list[np.ndarray]) -> Tensor:
        """(N, 22, 46, 46), the mean over the scales."""
        size = HAND_SIDE // STRIDE
        maps = []
        for scale in self._hand_scales:
            side = round(HAND_SIDE * scale / STRIDE) * STRIDE
            found = self._networks.hand(self._tensor([scaled(crop, side, side) for crop in crops]))
            maps.append(F.interpolate(found, (size, size), mode="bicubic", align_corners=False, antialias=scale > 1))
        return torch.stack(maps).mean(dim=0)

    def face_maps(self, crops: list[np.ndarray]) -> Tensor:
        """(N, 71, 48, 48)"""
        return self._networks.face(self._tensor(crops))[-1]

    def _tensor(self, pictures: list[np.ndarray]) -> Tensor:
        """RGB uint8 (H, W, 3) → BGR (N, 3, H, W) around 0, as the networks were trained."""
        values = torch.from_numpy(np.stack(pictures)).to(self._device)
        return (values.flip(3).permute(0, 3, 1, 2).float() - _GREY) / 256


def check_package() -> None:
    """Raise UsageError where controlnet_aux does not load, DeviceError where OpenCV wants a system library."""
    import_definitions()


def load(files: Mapping[str, Path], device: str = "auto") -> OpenPoseDetector:
    """The detector with the weights in ``files``. Raises as ``load_networks``, DeviceError for a device that fails."""
    chosen = choose_device(device)
    return OpenPoseDetector(load_networks(files, chosen), chosen)
