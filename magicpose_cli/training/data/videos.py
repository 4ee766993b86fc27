"""What the user names → the videos in it: files, folders of videos or frames, and the original project's layout."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from magicpose_cli.core.disk import file_sha256
from magicpose_cli.core.errors import InputError
from magicpose_cli.core.image_files import IMAGE_SUFFIXES, image_files, natural_key

VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".ogv",
)  # fmt: skip

# The original project's folders: frames, and the pose maps drawn of them, paired by name.
FRAMES_FOLDER, MAPS_FOLDER = "train_set", "pose_map_train_set"
_DEPTH = 2  # train_set/<video>/ or train_set/<group>/<video>/


@dataclass(frozen=True)
class Source:
    """One video: a file, or a folder of frames. ``maps`` is the folder of its drawn pose maps, where there are."""

    name: str
    path: Path
    maps: Path | None = None


def find_sources(paths: tuple[Path, ...]) -> list[Source]:
    """The videos of each path, in order. Raises InputError for a folder that holds none."""
    return [source for path in paths for source in _sources_in(path)]


def identity(source: Source) -> str:
    """A sha256 by which the same video is known again: of the file, or of a folder's names and files."""
    if source.path.is_file():
        return file_sha256(source.path)
    digest = hashlib.sha256()
    for folder in (source.path, source.maps):
        for file in image_files(folder) if folder else ():
            digest.update(f"{file.name}\0{file_sha256(file)}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _sources_in(path: Path) -> list[Source]:
    if not path.is_dir():
        return [Source(path.name, path)]
    path = path.resolve()  # "." has no name
    if (path / FRAMES_FOLDER).is_dir():
        return _original_layout(path)
    if path.name == FRAMES_FOLDER and (path.parent / MAPS_FOLDER).is_dir():
        raise InputError(f"{path} holds the frames alone", f"give the folder above it: {path.parent}")
    files = sorted((f for f in path.iterdir() if not f.name.startswith(".")), key=lambda f: natural_key(f.name))
    videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file()]
    if videos:
        return [Source(file.name, file) for file in videos]
    if any(file.suffix.lower() in IMAGE_SUFFIXES for file in files):
        return [Source(path.name, path)]
    raise InputError(
        f"the folder {path} holds no video", f"it should hold videos, frames, or {FRAMES_FOLDER}/ and {MAPS_FOLDER}/"
    )


def _original_layout(root: Path) -> list[Source]:
    frames, maps = root / FRAMES_FOLDER, root / MAPS_FOLDER
    if not maps.is_dir():
        raise InputError(f"{root} has {FRAMES_FOLDER}/ and no {MAPS_FOLDER}/", "put the drawn pose maps beside it")
    inside = [frames, *(folder for folder in sorted(frames.rglob("*")) if folder.is_dir())]
    found = []
    for folder in sorted(inside, key=lambda f: natural_key(str(f.relative_to(frames)))):
        place = folder.relative_to(frames)
        if len(place.parts) <= _DEPTH and any(f.suffix.lower() in IMAGE_SUFFIXES for f in folder.iterdir()):
            if not (maps / place).is_dir():
                raise InputError(f"{folder} has no pose maps: there is no folder {maps / place}")
            found.append(Source(f"{root.name}/{place.as_posix()}", folder, maps / place))
    if not found:
        raise InputError(f"{frames} holds no frames", f"it should hold folders of images: {', '.join(IMAGE_SUFFIXES)}")
    return found
