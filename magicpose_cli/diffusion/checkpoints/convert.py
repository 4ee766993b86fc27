"""Which checkpoint is it, and its conversion: what ``magicpose convert FILE -o DIR`` calls."""

from collections.abc import Iterable
from pathlib import Path

from magicpose_cli.core.errors import IntegrityError, UsageError
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.core.safe_load import load_tensors
from magicpose_cli.diffusion.checkpoints.animatediff import convert_motion_module, is_motion_module
from magicpose_cli.diffusion.checkpoints.controlnet_ldm import convert_controlnet
from magicpose_cli.diffusion.checkpoints.magicpose_ldm import DENOISER, Converted, convert_magicpose


def detect_checkpoint(path: Path | str) -> str:
    """``magicpose`` (any full LDM checkpoint), ``controlnet`` or ``motion``; IntegrityError for anything else."""
    return _kind(load_tensors(path), str(path))


def convert_checkpoint(
    path: Path | str,
    out: Path | str,
    *,
    tokenizer: Path | str | None = None,
    controlnet: Path | str | None = None,
    motion_module: Path | str | None = None,
    dtype: str = "float16",
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Converted:
    """Convert ``path``, whatever of the three it is, into the folder ``out``.

    ``tokenizer``, ``controlnet`` and ``motion_module`` are for a full checkpoint (see ``convert_magicpose``), which
    needs the first. Raises as the converters do, and UsageError where the arguments do not fit the kind.
    """
    kind = detect_checkpoint(path)
    if kind == "magicpose":
        if tokenizer is None:
            raise UsageError(
                f"{path} is a full checkpoint: its model folder needs a tokenizer too",
                "run 'magicpose download tokenizer', or name a folder with CLIP's vocab.json and merges.txt",
            )
        return convert_magicpose(
            path,
            out,
            tokenizer=tokenizer,
            controlnet=controlnet,
            motion_module=motion_module,
            dtype=dtype,
            overwrite=overwrite,
            progress=progress,
        )
    if controlnet is not None or motion_module is not None:
        raise UsageError(f"{path} is a {kind} file: it takes no other files along", "convert it alone")
    converter = convert_controlnet if kind == "controlnet" else convert_motion_module
    return Converted(kind, converter(path, out, dtype=dtype, overwrite=overwrite, progress=progress))


def _kind(names: Iterable[str], title: str) -> str:
    names = list(names)
    if any(name.startswith(DENOISER) for name in names):
        return "magicpose"
    if any("zero_convs." in name or name.startswith("controlnet_") for name in names):
        return "controlnet"
    if is_motion_module(names):
        return "motion"
    raise IntegrityError(
        f"{title} is neither a MagicPose checkpoint nor a ControlNet nor a motion module: "
        f"its first tensor is '{names[0][:200]}'",
        "see 'magicpose download --list' for files that are",
    )
