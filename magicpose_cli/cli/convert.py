"""``magicpose convert``: an original checkpoint → safetensors in diffusers layout."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.cli.console import Console
from magicpose_cli.cli.options import Overwrite

EXAMPLES = (
    "magicpose convert model_state-110000.th -o magicpose-full/",
    "magicpose convert control_v11p_sd15_openpose.pth -o pose_controlnet/",
    "magicpose convert mm_sd_v15_v2.ckpt -o motion_adapter/",
)


def convert(
    console: Console,
    checkpoint: Annotated[
        Path, typer.Argument(metavar="FILE", help="model_state-*.th, a ControlNet, or an AnimateDiff motion module.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the converted model goes.")],
    tokenizer: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="CLIP's vocab.json and merges.txt.  [default: the downloaded ones]"),
    ] = None,
    controlnet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A pose ControlNet to put in a full checkpoint's model.")
    ] = None,
    motion_module: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An AnimateDiff motion module to put in as well.")
    ] = None,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Also read a pickle that weights.toml does not know.")
    ] = False,
    dtype: Annotated[str, typer.Option(metavar="float16|bfloat16|float32", help="Number type on disk.")] = "float16",
    overwrite: Overwrite = False,
) -> dict[str, Any]:
    """Turn an original checkpoint into safetensors for diffusers.

    The checkpoint is read as plain tensors, in a process of its own without network: nothing in it can run code.
    """
    console.note(f"reading {checkpoint}")
    from magicpose_cli.animation.converting import convert as run

    result = run(
        checkpoint,
        output,
        tokenizer=tokenizer,
        controlnet=controlnet,
        motion_module=motion_module,
        dtype=dtype,
        allow_pickle=allow_pickle,
        existing="overwrite" if overwrite else "refuse",
        progress=console,
    )
    for note in result.notes:
        console.say(note)
    console.say(f"wrote {result.folder}")
    return asdict(result)
