"""Which files of a pose folder are its frames, and in what order."""

import re
from pathlib import Path

from magicpose_cli.core.errors import InputError
from magicpose_cli.pose.clip_info import CLIP_FILE

KEYPOINTS_END = "_keypoints.json"


def frame_files(folder: Path) -> tuple[list[tuple[int, Path]], list[str]]:
    """(frame number, file) in the order of the numbers, and notes for the user.

    The frames are the files ``*_keypoints.json`` or, where there are none, all ``*.json`` but ``clip.json``. A frame's
    number is the last one in its name; where a name has none, the files are numbered by name.
    Raises InputError for a folder without frames, for two files of one number, and for numbers far apart.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".json" and path.name != CLIP_FILE)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}", "check the path and its permissions") from error
    notes = []
    if named := [path for path in files if path.name.endswith(KEYPOINTS_END)]:
        if len(named) < len(files):
            notes.append(f"{len(files) - len(named)} .json files that are no '*{KEYPOINTS_END}' were left out")
        files = named
    if not files:
        raise InputError(
            f"{folder}: holds no pose files (OpenPose .json)", "give a folder that 'magicpose extract' wrote"
        )
    numbers = [_number(path) for path in files]
    if None in numbers:
        if len(files) > 1:
            notes.append("the file names hold no frame numbers: the frames are in the order of the names")
        return list(enumerate(files)), notes
    found: dict[int, Path] = {}
    for number, path in zip(numbers, files, strict=True):
        assert number is not None
        if number in found:
            raise InputError(
                f"{folder}: two files for frame {number}: '{found[number].name}' and '{path.name}'",
                "leave one of the two",
            )
        found[number] = path
    span = max(found) - min(found) + 1
    if span > 20 * len(found) + 1000:
        raise InputError(
            f"{folder}: {len(found)} files with frame numbers from {min(found)} to {max(found)}",
            "number the frames without such gaps",
        )
    return sorted(found.items()), notes


def _number(path: Path) -> int | None:
    digits = re.findall(r"[0-9]+", path.name.removesuffix(KEYPOINTS_END).removesuffix(".json"))
    return int(digits[-1]) if digits and len(digits[-1]) <= 15 else None
