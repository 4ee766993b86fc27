"""Files that the Hub's own tools fetched already (``HF_HOME``, ``HF_HUB_CACHE``) need not be fetched again."""

import contextlib
import os
import threading
from pathlib import Path

from magicpose_cli.core.lock import locked
from magicpose_cli.core.progress import Progress
from magicpose_cli.weights import store, verify
from magicpose_cli.weights.part_file import PartFile, writing
from magicpose_cli.weights.registry import Weight

_CHUNK = 4 << 20


def find(weight: Weight) -> Path | None:
    """The file in the Hub's cache, at the pinned commit or any other with this sha256. Not hashed yet; no network."""
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.file_download import repo_folder_name

    at_commit = try_to_load_from_cache(weight.repo, weight.file, revision=weight.revision)
    repo = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=weight.repo, repo_type="model"))
    for path in (Path(at_commit) if isinstance(at_commit, str) else None, repo / "blobs" / weight.sha256):
        if path is not None and path.is_file() and weight.size in (None, path.stat().st_size):
            return path.resolve()
    return None


def take(found: Path, weight: Weight, path: Path, progress: Progress) -> bool:
    """Link ``found`` to ``path`` (on another disk: copy it) if its sha256 is right; False where it is not."""

    def waiting() -> None:
        progress.note(f"another process is fetching {weight.name}; waiting for it")

    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path, threading.Event(), waiting):
            if path.exists():
                return True
            with progress.stage(f"check {weight.name} in the Hub's cache", weight.size, "byte") as advance:
                if verify.sha256_of(found, advance) != weight.sha256:
                    progress.note(f"{found} has the wrong sha256; it is left alone")
                    return False
            try:
                os.link(found, path)
            except OSError:  # another disk, or one without links
                if not _copy(found, weight, path):
                    return False
            with contextlib.suppress(OSError):
                store.mark_verified(path, weight.sha256)
            return True


def _copy(found: Path, weight: Weight, path: Path) -> bool:
    with PartFile(store.part_of(path, weight)) as part, found.open("rb") as source:
        part.restart()
        while chunk := source.read(_CHUNK):
            part.write(chunk)
        return part.sha256 == weight.sha256 and part.place(path)
