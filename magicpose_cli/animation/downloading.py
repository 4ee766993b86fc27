"""``download``: fetch what weights.toml lists, and convert the released checkpoint right after."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from magicpose_cli.animation.models import FULL_MODEL
from magicpose_cli.core.errors import IntegrityError, UsageError
from magicpose_cli.core.paths import weights_root
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.weights import store
from magicpose_cli.weights.download import DownloadPlan, download
from magicpose_cli.weights.patience import Patience
from magicpose_cli.weights.registry import Weight, load_registry
from magicpose_cli.weights.verify import Verified, verify_all

_MOTION = "motion-v2"


@dataclass(frozen=True)
class Fetched:
    """What is on disk now. ``model`` is the folder of the converted model where this run made one, or found it."""

    root: Path
    paths: tuple[Path, ...]
    model: Path | None
    notes: tuple[str, ...] = ()


def listing(root: Path | None = None) -> list[tuple[Weight, bool]]:
    """All that weights.toml knows, and whether each lies on disk (by name; nothing is hashed)."""
    root = root or weights_root()
    return [(weight, store.path_of(weight, root).is_file()) for weight in load_registry().weights]


def check(names: Iterable[str] = (), root: Path | None = None, progress: Progress = SILENT) -> list[Verified]:
    """Hash what is on disk of these names (none: of everything)."""
    registry = load_registry()
    wanted = registry.select(names) if tuple(names) else registry.weights
    return verify_all(wanted, root or weights_root(), progress)


def fetch(
    names: Iterable[str],
    root: Path | None,
    *,
    accept: Callable[[DownloadPlan], bool],
    tries: int = Patience.tries,
    progress: Progress = SILENT,
) -> Fetched:
    """Download what is missing of these names (none: what ``animate`` needs), and convert the checkpoint if it came.

    ``tries``: how often a file is tried in a row without anything new of it.
    """
    root, names, registry = root or weights_root(), tuple(names), load_registry()
    patience = Patience(tries=tries)
    paths = download(names, root, accept=accept, registry=registry, progress=progress, patience=patience)
    if FULL_MODEL not in {weight.name for weight in registry.select(names)}:
        return Fetched(root, paths, None)
    model = store.model_folder(FULL_MODEL, root)
    if store.has_model(model):
        return Fetched(root, paths, model, (f"the model {FULL_MODEL} is converted already: {model}",))
    return Fetched(root, paths, model, _convert(root, model, progress))


def _convert(root: Path, model: Path, progress: Progress) -> tuple[str, ...]:
    from magicpose_cli.animation.converting import convert_apart

    registry = load_registry()
    tokenizer = store.tokenizer_folder(registry, root)
    if not (tokenizer / "vocab.json").is_file():
        raise UsageError("the checkpoint is here, but its tokenizer is not", "run 'magicpose download' with no name")
    motion = store.path_of(registry.find(_MOTION), root)
    progress.note("converting the checkpoint to safetensors (once; some minutes)")
    converted = convert_apart(
        store.path_of(registry.find(FULL_MODEL), root),
        model,
        tokenizer=tokenizer,
        motion_module=motion if motion.is_file() else None,
        progress=progress,
    )
    return converted.notes


def broken_error(found: Iterable[Verified]) -> IntegrityError | None:
    """One error for all broken files, None where there is none."""
    broken = [each for each in found if each.state == "broken"]
    if not broken:
        return None
    names = " ".join(each.weight.name for each in broken)
    return IntegrityError("; ".join(each.message for each in broken), f"fetch them again: magicpose download {names}")
