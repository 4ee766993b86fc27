"""Which files of a folder are images, in what order, and how large one may be."""

import re
from pathlib import Path

from magicpose_cli.core.errors import InputError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MAX_PIXELS = 40_000_000  # of a picture or a video's frame: 8K is 33 million; a 200 kB file can claim far more
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
