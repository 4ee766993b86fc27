"""Images, and files of many images: GIF and WebP (imageio), folders of frames."""

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from PIL import Image, ImageCms, ImageOps

from magicpose_cli.core.confined import confined
from magicpose_cli.core.errors import InputError, LimitError, UsageError
from magicpose_cli.core.image_files import BROKEN_IMAGE, MAX_PIXELS, open_image, sniff
from magicpose_cli.video.colour import on_white
from magicpose_cli.video.comment import as_xmp
from magicpose_cli.video.output import told_plainly, whole_output
from magicpose_cli.video.timing import Timing, measure

ANIMATED_SUFFIXES = (".gif", ".webp")
_MILLISECOND = Fraction(1, 1000)
_MAX_HELD_BYTES = 2_000_000_000  # the GIF and WebP writers hold all frames in memory


@confined()
def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """One image as RGB uint8 (height, width, 3): upright by EXIF, colours in sRGB, transparency laid on white.

    The first picture of an animation. Raises InputError on what is no image, LimitError above ``max_pixels``.
    """
    with open_image(path, max_pixels) as image:
        try:
            image.seek(0)
            image.load()
            return _to_rgb(image)
        except Image.DecompressionBombError:
            raise _too_large(path) from None
        except BROKEN_IMAGE as error:
            raise InputError(f"{path} is damaged or cut off: {error}", "copy or download it again") from None


@confined()
def check_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Upright width and height from the header alone."""
    with open_image(path, max_pixels) as image:
        # Pillow decodes a whole PNG in search of EXIF behind the pixels; nobody puts an orientation there.
        has_exif = image.format != "PNG" or "exif" in image.info
        try:
            turned = has_exif and image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        except BROKEN_IMAGE as error:
            raise InputError(f"{path} is damaged: {error}", "copy or download it again") from None
        return (image.height, image.width) if turned else image.size


def _to_rgb(image: Image.Image) -> np.ndarray:
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits and more a channel
        deep = np.asarray(image, dtype=np.float64)
        top = 65535 if deep.max(initial=0) > 255 else 255
        return np.repeat(np.rint(np.clip(deep / top, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        if profile:
            image = _to_srgb(image, profile, "RGBA")
        return on_white(np.asarray(image))
    if profile:
        image = _to_srgb(image, profile, "RGB")
    return np.array(image.convert("RGB"))


def _to_srgb(image: Image.Image, profile: bytes, mode: str) -> Image.Image:
    """Phone photos are often Display P3, prints CMYK. A profile that does not fit is no reason to refuse a photo."""
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


@confined()
def animation_timing(path: Path, *, max_pixels: int = MAX_PIXELS) -> tuple[Timing, int]:
    """Timing and number of pictures of a GIF or WebP."""
    tick = 10 if sniff(path) == "gif" else 1  # a GIF counts in hundredths of a second
    starts, now = [], 0
    for _, duration in _pictures(path, max_pixels):
        starts.append(now)
        now += duration
    return measure([at // tick for at in starts], (now - starts[-1]) // tick, tick * _MILLISECOND, None), len(starts)


def animation_frames(path: Path, *, max_pixels: int = MAX_PIXELS) -> Iterator[tuple[Fraction, np.ndarray]]:
    """(time in seconds, RGBA uint8) of each picture of a GIF or WebP, decoded one by one."""
    now = 0
    for picture, duration in _pictures(path, max_pixels):
        yield now * _MILLISECOND, picture
        now += duration


def _pictures(path: Path, max_pixels: int) -> Iterator[tuple[np.ndarray, int]]:
    with open_image(path, max_pixels) as image:
        size = image.size
    shortest = 20 if sniff(path) == "gif" else 1
    count = 0
    try:
        # A file object: imageio would read some names as addresses or archives.
        with open(path, "rb") as file, imageio.imopen(file, "r", plugin="pillow", extension=path.suffix) as images:
            for picture in images.iter(mode="RGBA"):
                milliseconds = images.metadata(index=count, exclude_applied=False).get("duration", 0)
                # Browsers and FFmpeg show a picture with no time of its own (a GIF's: under 20 ms) for 100 ms.
                if picture.shape[1::-1] != size:
                    raise InputError(f"{path} changes its size at picture {count}", "convert it to a video first")
                yield picture, int(milliseconds) if milliseconds >= shortest else 100
                count += 1
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except BROKEN_IMAGE as error:
        raise InputError(f"{path} is damaged after picture {count}: {error}", "copy or download it again") from None


def _too_large(path: Path) -> LimitError:
    return LimitError(f"{path} claims more pixels than any picture has", "scale it down first")


def write_image(path: Path, rgb: np.ndarray, *, overwrite: bool = False) -> None:
    """RGB (or grey) uint8 to a PNG (JPEG or WebP where the name ends so), whole or not at all.

    Raises OutputError where ``path`` exists (without ``overwrite``) or cannot be written.
    """
    kind = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}.get(Path(path).suffix.lower())
    if kind is None:
        raise UsageError(f"cannot write an image named {path}", "end the name in .png")
    data = io.BytesIO()
    Image.fromarray(rgb).save(data, format=kind, **({"quality": 95} if kind != "PNG" else {}))
    with whole_output(path, overwrite) as temporary, told_plainly(path):
        temporary.write_bytes(data.getbuffer())


def write_animation(file: Path, kind: str, frames: Iterable[np.ndarray], fps: Fraction, comment: str = "") -> int:
    """RGB uint8 frames to an endless GIF or WebP (``kind`` ".gif" or ".webp"); returns how many were written.

    A GIF counts in hundredths of a second: the times are rounded one by one so that the whole keeps its length.
    Raises LimitError where the frames do not fit in memory, UsageError above the 50 frames a second of a GIF.
    """
    if kind == ".gif" and fps > 50:
        raise UsageError("a GIF shows at most 50 frames a second", "write an .mp4, or give a lower --fps")
    held: list[np.ndarray] = []
    for frame in frames:
        held.append(frame)
        if len(held) * frame.nbytes > _MAX_HELD_BYTES:
            raise LimitError(f"a {kind[1:].upper()} of more than {len(held)} frames this large", "write an .mp4")
    if not held:
        return 0
    tick = 10 if kind == ".gif" else 1  # milliseconds
    edges = [round(index * 1000 / (fps * tick)) * tick for index in range(len(held) + 1)]
    durations = [max(tick, after - before) for before, after in pairwise(edges)]
    options: dict[str, object] = {"loop": 0} | ({"quality": 90, "method": 4} if kind == ".webp" else {})
    if comment:
        options |= {"xmp": as_xmp(comment)} if kind == ".webp" else {"comment": comment.encode()}
    # Pillow takes a list of times for several pictures, a number for one.
    shown = durations if len(held) > 1 else durations[0]
    data = imageio.imwrite("<bytes>", held, plugin="pillow", extension=kind, is_batch=True, duration=shown, **options)
    file.write_bytes(data)
    return len(held)
