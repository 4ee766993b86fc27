"""``convert``: an original checkpoint becomes a model folder."""

from pathlib import Path

from magicpose_cli.animation.request import CONVERTED_DTYPES
from magicpose_cli.core.choices import check_choice
from magicpose_cli.core.confined import confined
from magicpose_cli.core.confinement import Limits
from magicpose_cli.core.errors import RefusedError
from magicpose_cli.core.files import check_file
from magicpose_cli.core.paths import weights_root
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.core.safe_load import is_pickle
from magicpose_cli.diffusion.checkpoints.convert import convert_checkpoint
from magicpose_cli.diffusion.checkpoints.magicpose_ldm import Converted
from magicpose_cli.weights.registry import Registry, load_registry
from magicpose_cli.weights.store import tokenizer_folder, was_verified
from magicpose_cli.weights.verify import sha256_of

_CONVERTING = Limits()  # it writes gigabytes and takes its time; without network and other programs all the same


def convert(
    checkpoint: Path,
    output: Path,
    *,
    tokenizer: Path | None = None,
    controlnet: Path | None = None,
    motion_module: Path | None = None,
    dtype: str = "float16",
    allow_pickle: bool = False,
    existing: str = "refuse",
    progress: Progress = SILENT,
) -> Converted:
    """Convert ``checkpoint``, whichever of the known kinds it is, into the folder ``output``.

    ``tokenizer`` None is the downloaded one. Raises as ``diffusion.checkpoints`` does; RefusedError for a pickle that
    weights.toml does not know, without ``allow_pickle``.
    """
    check_choice("dtype", dtype, CONVERTED_DTYPES)
    registry = load_registry()
    for path in (checkpoint, controlnet, motion_module):
        if path is not None:
            check_file(path)
            if is_pickle(path) and not allow_pickle and not _is_known(path, registry):
                raise RefusedError(
                    f"{path} is a pickle, a kind of file that can hold programs, and weights.toml does not know it",
                    "give a .safetensors file, or say --allow-pickle if you trust where it came from",
                )
    if tokenizer is None:
        downloaded = tokenizer_folder(registry)
        tokenizer = downloaded if downloaded.is_dir() else None
    return convert_apart(
        checkpoint,
        output,
        tokenizer=tokenizer,
        controlnet=controlnet,
        motion_module=motion_module,
        dtype=dtype,
        overwrite=existing == "overwrite",
        progress=progress,
    )


def _is_known(path: Path, registry: Registry) -> bool:
    """Whether the file's sha256 is one of weights.toml's."""
    size = path.stat().st_size
    # Another size: no need to read gigabytes.
    alike = [w for w in registry.weights if w.size == size or (not w.size and abs(w.bytes_about - size) < size / 10)]
    real = path.resolve()
    # Only our own marks count: one beside a file from elsewhere came with it.
    if real.is_relative_to(weights_root().resolve()) and any(was_verified(real, weight.sha256) for weight in alike):
        return True
    return bool(alike) and sha256_of(path) in {weight.sha256 for weight in alike}


@confined(_CONVERTING)
def convert_apart(
    checkpoint: Path,
    output: Path,
    *,
    tokenizer: Path | None = None,
    controlnet: Path | None = None,
    motion_module: Path | None = None,
    dtype: str = "float16",
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Converted:
    """``diffusion.checkpoints.convert_checkpoint`` in a process apart: what a pickle asks for, happens there."""
    return convert_checkpoint(
        checkpoint,
        output,
        tokenizer=tokenizer,
        controlnet=controlnet,
        motion_module=motion_module,
        dtype=dtype,
        overwrite=overwrite,
        progress=progress,
    )
