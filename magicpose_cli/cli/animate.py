"""``magicpose animate``: a photo and poses → a video."""

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from magicpose_cli.animation.request import PRESETS, AnimationRequest, check_request
from magicpose_cli.cli.consent import ask_consent
from magicpose_cli.cli.console import Console, amount, duration
from magicpose_cli.cli.options import (
    Detector,
    Device,
    Dtype,
    End,
    Fps,
    Model,
    Overwrite,
    Person,
    ReferencePoses,
    Size,
    SkipExisting,
    Start,
    existing_rule,
    given,
)
from magicpose_cli.core.errors import UsageError
from magicpose_cli.core.names import FRAMINGS, SCHEDULERS

EXAMPLES = (
    "magicpose animate me.png poses/ -o me_dancing.mp4",
    "magicpose animate me.png dance.mp4 -o me_dancing.mp4 --compare",
    "magicpose animate me.png poses/ -o out.mp4 --preset published --seed 7",
    "magicpose animate me.png poses/ -o out.mp4 --dry-run",
    "magicpose animate --from out.json -o again.mp4",
)
DEFAULTS = AnimationRequest


def animate(
    console: Console,
    context: typer.Context,
    reference: Annotated[
        Path | None, typer.Argument(metavar="REFERENCE", help="The photo of the person to animate.", show_default=False)
    ] = None,
    poses: Annotated[
        Path | None,
        typer.Argument(
            metavar="POSES",
            help="A folder from 'magicpose extract' or of OpenPose JSON, a folder or video of pose maps, or a video.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The video: .mp4, .mov, .mkv, .gif or .webp.")
    ] = None,
    from_record: Annotated[
        Path | None, typer.Option("--from", metavar="JSON", help="Make again what this file beside a video says.")
    ] = None,
    model: Model = DEFAULTS.model,
    preset: Annotated[str, typer.Option(metavar="|".join(PRESETS), help="How carefully to sample.")] = DEFAULTS.preset,
    steps: Annotated[
        int | None, typer.Option(metavar="N", help="Denoising steps.  [default: by preset and model]")
    ] = DEFAULTS.steps,
    guidance: Annotated[
        float | None,
        typer.Option(metavar="X", help="How strongly photo and poses are followed.  [default: the model's]"),
    ] = DEFAULTS.guidance,
    scheduler: Annotated[
        str | None, typer.Option(metavar="|".join(SCHEDULERS), help="The sampler.  [default: by preset]")
    ] = DEFAULTS.scheduler,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same video.")] = DEFAULTS.seed,
    size: Size = DEFAULTS.size,
    fit: Annotated[
        str, typer.Option(metavar="auto|none", help="Fit the driver's proportions to the person in the photo.")
    ] = DEFAULTS.fit,
    framing: Annotated[
        str,
        typer.Option(
            metavar="|".join(FRAMINGS),
            help="The picture is the whole photo, or only what person and motion need; auto: the photo, grown where "
            "the motion leaves it, or the person where they are small in it.",
        ),
    ] = DEFAULTS.framing,
    paste_back: Annotated[
        bool, typer.Option("--paste-back", help="Lay the result back into the photo, in the photo's full size.")
    ] = DEFAULTS.paste_back,
    prompt: Annotated[str, typer.Option(metavar="TEXT", help="Words for the model; the published way has none.")] = (
        DEFAULTS.prompt
    ),
    motion: Annotated[
        bool, typer.Option("--motion/--no-motion", help="Use the model's motion module where it has one.")
    ] = DEFAULTS.motion,
    audio: Annotated[
        str, typer.Option(metavar="auto|none|FILE", help="The driver's sound, none, or that of a file.")
    ] = DEFAULTS.audio,
    fps: Fps = DEFAULTS.fps,
    start: Start = DEFAULTS.start,
    end: End = DEFAULTS.end,
    detector: Detector = DEFAULTS.detector,
    person: Person = DEFAULTS.person,
    reference_poses: ReferencePoses = DEFAULTS.reference_poses,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also write reference, pose and result side by side: OUT_compare.")
    ] = DEFAULTS.compare,
    device: Device = DEFAULTS.device,
    dtype: Dtype = DEFAULTS.dtype,
    offload: Annotated[
        bool, typer.Option("--offload", help="Keep on the GPU only the part of the model that runs: slower, smaller.")
    ] = DEFAULTS.offload,
    watermark: Annotated[
        bool,
        typer.Option(
            "--watermark/--no-watermark",
            help="Mark the frames invisibly. Without it (for research) a re-encoded copy passes for a recording.",
        ),
    ] = DEFAULTS.watermark,
    i_have_consent: Annotated[
        bool,
        typer.Option(
            "--i-have-consent", help="The people in my photos agreed to be animated; asked once, then remembered."
        ),
    ] = False,
    overwrite: Overwrite = False,
    skip_existing: SkipExisting = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> dict[str, Any]:
    """Animate a photo with poses, or with the motion of a video.

    The video keeps the driver's rate, length and sound, and the photo's aspect. Beside it lies a .json that says how
    it was made, for --from.
    """
    request, record = _request(context, from_record)
    request = replace(request, existing=existing_rule(overwrite, skip_existing))
    check_request(request)
    console.note(f"animating {request.reference} with {request.poses}")
    if dry_run:
        from magicpose_cli.animation.estimate import plan_run

        plan = plan_run(request, console)
        for sentence in plan.sentences:
            console.say(sentence)
        return asdict(plan)
    ask_consent(console, i_have_consent)
    from magicpose_cli.animation.animator import animate as run

    result = run(request, console, earlier=record)
    if result.skipped:
        console.say(f"{result.output} exists already and was left as it is")
        return asdict(result)
    console.say(
        f"{amount(result.frames, 'frame')} of {result.width}x{result.height} at {result.fps} a second, "
        f"{result.sound}, in {duration(result.seconds)}"
    )
    console.say(f"wrote {result.output} and {result.record.name}")
    if result.compare is not None:
        console.say(f"wrote {result.compare}")
    return asdict(result)


def _request(context: typer.Context, from_record: Path | None) -> tuple[AnimationRequest, dict[str, Any] | None]:
    """The request as typed: on top of the defaults, or of the record's request where --from names one."""
    typed = {
        field.name: context.params[field.name] for field in fields(AnimationRequest) if field.name in context.params
    }
    if from_record is None:
        for name, shown in (("reference", "REFERENCE"), ("poses", "POSES"), ("output", "-o FILE")):
            if typed[name] is None:
                raise UsageError(f"{shown} is missing", "type: magicpose animate REFERENCE POSES -o out.mp4")
        return AnimationRequest(**typed), None
    from magicpose_cli.animation.run_folder import read_record

    request, record = read_record(from_record)
    return replace(request, **{name: value for name, value in typed.items() if given(context, name)}), record
