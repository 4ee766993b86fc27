"""Where weights and models lie on this machine. Paths alone: nothing is made or fetched here."""

import glob
import json
from importlib.resources import files
from pathlib import Path, PurePosixPath

from magicpose_cli.core.errors import IntegrityError, UsageError
from magicpose_cli.core.paths import weights_root
from magicpose_cli.core.temporaries import write_whole
from magicpose_cli.weights.registry import Registry, Weight

MODELS = "models"
INDEX = "model_index.json"


def path_of(weight: Weight, root: Path | None = None) -> Path:
    """The file's place: ``root/folder/file name`` (root: the weights folder of this machine)."""
    root = root or weights_root()
    path = root / weight.folder / PurePosixPath(weight.file).name
    if weight.folder == MODELS or not path.resolve().is_relative_to(root.resolve()):
        raise IntegrityError(f"weights.toml puts '{weight.name}' outside the weights folder", "correct the entry")
    return path


def model_folder(name: str, root: Path | None = None) -> Path:
    """The folder of a converted model, whether it is there or not."""
    if not name or Path(name).name != name or name.startswith("."):
        raise UsageError(f"'{name}' is no model name", "use a plain name, such as magicpose")
    return (root or weights_root()) / MODELS / name


def has_model(folder: Path) -> bool:
    """True where the folder holds a whole model (the index is there only when all of it is)."""
    return (folder / INDEX).is_file()


def list_models(root: Path | None = None) -> list[str]:
    """Names of the converted models on this machine, sorted."""
    folder = (root or weights_root()) / MODELS
    return sorted(path.name for path in folder.glob("[!.]*") if has_model(path)) if folder.is_dir() else []


def mini_folder() -> Path:
    """The embedded model's folder inside the package."""
    return Path(str(files("magicpose_cli"))) / MODELS / "mini"


def tokenizer_folder(registry: Registry, root: Path | None = None) -> Path:
    """The folder of the downloaded CLIP vocabulary, as the converter takes it."""
    return path_of(registry.find("tokenizer-vocab"), root).parent


def part_of(path: Path, weight: Weight) -> Path:
    """Where the bytes of a file wait until all have come. Another sha256, another name: versions never mix."""
    return path.with_name(f"{path.name}.{weight.sha256[:12]}.part")


def sweep_parts(path: Path) -> None:
    """Delete what earlier versions of the file left unfinished, once ``path`` is there."""
    for part in path.parent.glob(f"{glob.escape(path.name)}.{'[0-9a-f]' * 12}.part*"):
        part.unlink(missing_ok=True)


def mark_verified(path: Path, sha256: str) -> None:
    """Note beside the file that it was hashed, so that it need not be hashed again until it changes."""
    state = path.stat()
    mark = {"sha256": sha256, "size": state.st_size, "mtime_ns": state.st_mtime_ns}
    write_whole(_mark(path), json.dumps(mark).encode())


def was_verified(path: Path, sha256: str) -> bool:
    """True where the file was found to have this sha256 and has not been touched since."""
    try:
        state = path.stat()
        mark = json.loads(_mark(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return mark == {"sha256": sha256, "size": state.st_size, "mtime_ns": state.st_mtime_ns}


def _mark(path: Path) -> Path:
    return path.with_name(path.name + ".verified")
