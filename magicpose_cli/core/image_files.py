"""Which files are images, in what order, how large one may be; and the one door through which they are opened."""

import re
import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from magicpose_cli.core.errors import InputError, LimitError
from magicpose_cli.core.files import check_file

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MAX_PIXELS = 40_000_000  # of a picture or a video's frame: 8K is 33 million; a 200 kB file can claim far more
MAX_BYTES = 500_000_000  # of an image file
# What Pillow raises on damaged files: each of its readers has its own ways.
BROKEN_IMAGE: tuple[type[Exception], ...] = (
    *(OSError, ValueError, SyntaxError, EOFError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(RuntimeError, struct.error),
)
_PILLOW_FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF"}
_LONGEST_NUMBER = 4000  # digits; int() refuses more than 4300


def image_files(folder: Path) -> list[Path]:
    """The images of a folder in natural order (2.png before 10.png); hidden files are passed over. InputError: none."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "give a folder of images")
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") and file.is_file()
    ]
    if not files:
        raise InputError(f"the folder {folder} holds no images", f"it should hold frames: {', '.join(IMAGE_SUFFIXES)}")
    return sorted(files, key=lambda file: (natural_key(file.name), file.name))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key by which frame_2 comes before frame_10."""
    parts = [part for part in re.split(r"([0-9]+)", name) if part]
    return [(0, int(part[:_LONGEST_NUMBER]), part) if part[0] in "0123456789" else (1, 0, part) for part in parts]


def sniff(path: Path) -> str:
    """The image type by the file's first bytes: png, jpeg, webp, gif, bmp, tiff, heic, psd, or "" for none of them."""
    with open(path, "rb") as file:
        head = file.read(32)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "bmp"
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"hevc"):
        return "heic" if head[8:12] != b"hevc" else ""
    return "psd" if head.startswith(b"8BPS") else ""


def open_image(path: Path, max_pixels: int = MAX_PIXELS) -> "Image.Image":
    """Pillow's image of a regular file, of a known format alone; its pixels are not decoded yet.

    Raises InputError on what is no image, LimitError above ``max_pixels`` or ``MAX_BYTES``.
    """
    from PIL import Image

    if check_file(path).st_size > MAX_BYTES:
        raise LimitError(f"{path} has more than {MAX_BYTES / 1e6:.0f} MB", "scale it down first")
    kind = sniff(path)
    if kind == "heic":
        raise InputError(f"{path} is a HEIC/AVIF photo, which is not read here", "save it as JPEG or PNG first")
    if kind not in _PILLOW_FORMATS:
        raise InputError(f"{path} is not an image that can be read", "give a PNG, JPEG, WebP, BMP or TIFF image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own limit only warns; ours refuses below
            image = Image.open(path, formats=[_PILLOW_FORMATS[kind]])
    except Image.DecompressionBombError:
        raise LimitError(f"{path} claims more pixels than any photo has", "scale it down first") from None
    except BROKEN_IMAGE as error:
        raise InputError(f"{path} is damaged: {error}", "copy or download it again") from None
    if image.width * image.height > max_pixels:
        size = f"{image.width}x{image.height} = {image.width * image.height / 1e6:.0f} million pixels"
        image.close()
        raise LimitError(f"{path} is {size}; the limit is {max_pixels / 1e6:.0f} million", "scale it down first")
    return image
