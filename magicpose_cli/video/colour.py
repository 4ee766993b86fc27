"""Decoded frames to upright RGB, and RGB to BT.709 for the encoder.

Sources: ITU-R BT.601-7, BT.709-6 and BT.2020-2 (matrices), H.273 (the numbers of the tags), ISO/IEC 14496-12 (the
display matrix).
"""

from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange, ColorTrc, Interpolation, VideoReformatter

from magicpose_cli.core.messages import sendable
from magicpose_cli.video.hdr import to_standard_range

# H.273 matrix coefficients → (Kr, Kb), and → swscale's number of the same matrix
_LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
_SWSCALE_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_BT709, _BT601 = 1, 6
_HDR_CURVES = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
# swscale's fast paths round down, which darkens by one level in 255; these flags make it exact.
_EXACT = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)


@sendable
@dataclass(frozen=True)
class Orientation:
    """How coded pixels become upright: swap the axes, then mirror left-right, then mirror top-bottom."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def rotation(self) -> int:
        """Degrees by which the coded picture is turned counter-clockwise (mirroring left aside)."""
        if self.transpose:
            return 90 if self.mirror_y else 270
        return 180 if self.mirror_x and self.mirror_y else 0

    def apply(self, image: np.ndarray) -> np.ndarray:
        """(H, W, …) coded → (H', W', …) upright, contiguous."""
        if self.transpose:
            image = image.swapaxes(0, 1)
        if self.mirror_x:
            image = image[:, ::-1]
        if self.mirror_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


UPRIGHT = Orientation()


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """From the frame's display matrix, to the nearest right angle."""
    for index in range(len(frame.side_data)):
        item = frame.side_data[index]
        if item.type == SideDataType.DISPLAYMATRIX:
            a, b, _, c, d = np.frombuffer(bytes(item), dtype=np.int32)[:5]
            if abs(int(b)) + abs(int(c)) > abs(int(a)) + abs(int(d)):
                return Orientation(True, bool(c < 0), bool(b < 0))
            return Orientation(False, bool(a < 0), bool(d < 0))
    return UPRIGHT


def is_hdr(frame: av.VideoFrame) -> bool:
    return frame.color_trc in _HDR_CURVES


def has_alpha(frame: av.VideoFrame) -> bool:
    return any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8"


class FrameConverter:
    """Turns the frames of one stream into RGB uint8 (height, width, 3): upright, square pixels, one size.

    ``width`` and ``height`` are those of the upright picture; a frame of another size is scaled to them.
    """

    def __init__(self, orientation: Orientation, width: int, height: int) -> None:
        self._orientation = orientation
        self._size = (height, width) if orientation.transpose else (width, height)  # before turning
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        rgb = self._to_rgb(frame)
        if (rgb.shape[1], rgb.shape[0]) != self._size:
            smaller = self._size[0] * self._size[1] < rgb.shape[0] * rgb.shape[1]
            rgb = cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
        return self._orientation.apply(rgb)

    def _to_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        matrix, full_range = _matrix_and_range(frame)
        if frame.format.name in ("yuv420p", "yuvj420p") and not is_hdr(frame) and matrix in _LUMA_WEIGHTS:
            return _yuv420_to_rgb(frame, matrix, full_range)
        arguments: dict = {"interpolation": _EXACT}
        if not frame.format.is_rgb:
            arguments["src_colorspace"] = _SWSCALE_MATRIX.get(matrix)
            arguments["src_color_range"] = ColorRange.JPEG if full_range else ColorRange.MPEG
            arguments["dst_color_range"] = ColorRange.JPEG
        if is_hdr(frame):
            deep = self._reformatter.reformat(frame, format="rgb48", **arguments).to_ndarray()
            return to_standard_range(deep, hlg=frame.color_trc == ColorTrc.ARIB_STD_B67)
        if has_alpha(frame):
            return on_white(self._reformatter.reformat(frame, format="rgba", **arguments).to_ndarray())
        return self._reformatter.reformat(frame, format="rgb24", **arguments).to_ndarray()


def _matrix_and_range(frame: av.VideoFrame) -> tuple[int, bool]:
    """The H.273 matrix number and whether luma spans 0-255. Untagged: BT.709 from 720 lines on, as players do."""
    full_range = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    matrix = int(frame.colorspace)
    if matrix in (2, 3) or (matrix == 0 and not frame.format.is_rgb):
        matrix = _BT709 if min(frame.width, frame.height) >= 720 else _BT601
    return matrix, full_range


def _decode_matrix(matrix: int, full_range: bool) -> np.ndarray:
    """(3, 4): Y, Cb, Cr in 0-255 and 1 → R, G, B in 0-255."""
    kr, kb = _LUMA_WEIGHTS[matrix]
    kg = 1 - kr - kb
    luma, chroma, black = (1.0, 1.0, 0) if full_range else (255 / 219, 255 / 224, 16)
    red, blue = 2 * (1 - kr) * chroma, 2 * (1 - kb) * chroma
    linear = np.array([[luma, 0, red], [luma, -blue * kb / kg, -red * kr / kg], [luma, blue, 0]])
    return np.hstack([linear, -linear @ np.array([[black], [128], [128]])]).astype(np.float32)


def _yuv420_to_rgb(frame: av.VideoFrame, matrix: int, full_range: bool) -> np.ndarray:
    """cv2 does it as exactly as swscale's exact flags and ten times faster."""
    y, cb, cr = (_plane(plane) for plane in frame.planes)
    even = (cb.shape[1] * 2, cb.shape[0] * 2)
    chroma = [cv2.resize(c, even, interpolation=cv2.INTER_LINEAR)[: y.shape[0], : y.shape[1]] for c in (cb, cr)]
    return cv2.transform(cv2.merge([y, *chroma]), _decode_matrix(matrix, full_range))


def _plane(plane: av.video.plane.VideoPlane) -> np.ndarray:
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


def on_white(rgba: np.ndarray) -> np.ndarray:
    """RGBA uint8 (H, W, 4) laid on white: RGB uint8 (H, W, 3)."""
    alpha = rgba[..., 3]
    if (alpha == 255).all():
        return np.ascontiguousarray(rgba[..., :3])
    share = alpha[..., None].astype(np.float32) / 255
    return np.rint(rgba[..., :3] * share + 255 * (1 - share)).astype(np.uint8)


def square_size(width: int, height: int, sample_aspect: Fraction, orientation: Orientation) -> tuple[int, int]:
    """Upright width and height in square pixels: the coded height is kept, as players do."""
    width = max(1, round(width * sample_aspect))
    return (height, width) if orientation.transpose else (width, height)


def to_yuv420(rgb: np.ndarray) -> av.VideoFrame:
    """RGB uint8 (H, W, 3) → a BT.709 limited-range yuv420p frame; an odd edge line is doubled to reach even sizes."""
    height, width = rgb.shape[:2]
    if height % 2 or width % 2:
        rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    kr, kb = _LUMA_WEIGHTS[_BT709]
    luma = np.array([kr, 1 - kr - kb, kb])
    cb = (np.array([0, 0, 1]) - luma) / (2 * (1 - kb))
    cr = (np.array([1, 0, 0]) - luma) / (2 * (1 - kr))
    encode = np.hstack([np.array([luma * 219, cb * 224, cr * 224]) / 255, [[16], [128], [128]]]).astype(np.float32)
    y, cb, cr = cv2.split(cv2.transform(np.ascontiguousarray(rgb), encode))
    half = (rgb.shape[1] // 2, rgb.shape[0] // 2)
    chroma = [cv2.resize(c, half, interpolation=cv2.INTER_AREA).ravel() for c in (cb, cr)]
    planes = np.concatenate([y.ravel(), *chroma]).reshape(-1, rgb.shape[1])
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.colorspace, frame.color_range = _BT709, ColorRange.MPEG
    return frame
