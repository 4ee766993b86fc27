"""``convert``: an original checkpoint becomes a model folder."""

from pathlib import Path

from magicpose_cli.animation.request import CONVERTED_DTYPES, check_choice
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.diffusion.checkpoints.convert import convert_checkpoint
from magicpose_cli.diffusion.checkpoints.magicpose_ldm import Converted
from magicpose_cli.video.source import check_file
from magicpose_cli.weights.registry import load_registry
from magicpose_cli.weights.store import tokenizer_folder


def convert(
    checkpoint: Path,
    output: Path,
    *,
    tokenizer: Path | None = None,
    controlnet: Path | None = None,
    motion_module: Path | None = None,
    dtype: str = "float16",
    existing: str = "refuse",
    progress: Progress = SILENT,
) -> Converted:
    """Convert ``checkpoint``, whichever of the known kinds it is, into the folder ``output``.

    ``tokenizer`` None is the downloaded one. Raises as ``diffusion.checkpoints`` does.
    """
    check_choice("dtype", dtype, CONVERTED_DTYPES)
    for path in (checkpoint, controlnet, motion_module):
        if path is not None:
            check_file(path)
    if tokenizer is None:
        downloaded = tokenizer_folder(load_registry())
        tokenizer = downloaded if downloaded.is_dir() else None
    return convert_checkpoint(
        checkpoint,
        output,
        tokenizer=tokenizer,
        controlnet=controlnet,
        motion_module=motion_module,
        dtype=dtype,
        overwrite=existing == "overwrite",
        progress=progress,
    )
