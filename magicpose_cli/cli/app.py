"""The command line's one boundary: arguments in, an exit code out, and every error a sentence."""

import errno
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from magicpose_cli import __version__
from magicpose_cli.cli import (
    animate,
    compare,
    convert,
    dataset,
    demo,
    doctor,
    download,
    evaluate,
    extract,
    mux,
    preview,
    train,
    verify,
)
from magicpose_cli.cli.console import Console
from magicpose_cli.cli.exit_codes import BUG, DONE, exit_code
from magicpose_cli.cli.narrow_help import Command, Group
from magicpose_cli.cli.options import Session, with_console
from magicpose_cli.core import errors
from magicpose_cli.core.disk import is_disk_full
from magicpose_cli.core.memory import is_out_of_memory
from magicpose_cli.core.opencv_guard import explain_opencv
from magicpose_cli.core.paths import cache_root
from magicpose_cli.core.signals import ENDING_SIGNALS

_HELP = {"help_option_names": ["-h", "--help"]}
_EXAMPLES = """\b
Examples:
  magicpose demo
  magicpose extract dance.mp4 -o poses/
  magicpose preview me.png poses/ -o look.png
  magicpose animate me.png poses/ -o me_dancing.mp4"""

_OF_A_GPU = ("CUDA error", "cuDNN error", "CUDA driver error", "HIP error", "MPS backend")  # how torch's errors begin
_OF_THE_DISK = {errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EPERM, errno.EROFS, errno.ESTALE}

app = typer.Typer(
    name="magicpose",
    cls=Group,
    help="Animate the person in a photo with the motion of a video.",
    epilog=_EXAMPLES,
    context_settings=_HELP,
    rich_markup_mode=None,  # plain text: file names are never markup, and rich need not load for --help
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
evaluations = typer.Typer(
    cls=Group,
    help="Measure a model, and print the scores.",
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings=_HELP,
)

for _name, _module in {
    "demo": demo,
    "download": download,
    "convert": convert,
    "extract": extract,
    "preview": preview,
    "animate": animate,
    "mux": mux,
    "compare": compare,
    "verify": verify,
    "doctor": doctor,
    "dataset": dataset,
    "train": train,
}.items():
    _epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in _module.EXAMPLES)
    app.command(_name, cls=Command, epilog=_epilog)(with_console(getattr(_module, _name)))
app.add_typer(evaluations, name="evaluate")
for _name, _examples in (
    ("figures", evaluate.EXAMPLES),
    ("fit", evaluate.FIT_EXAMPLES),
    ("long", evaluate.LONG_EXAMPLES),
):
    _epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in _examples)
    evaluations.command(_name, cls=Command, epilog=_epilog)(with_console(getattr(evaluate, _name)))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"magicpose {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Print the version and leave."),
    ] = False,
) -> None:
    pass


class Stopped(BaseException):
    """A signal asked the process to end. Not a KeyboardInterrupt, which Typer would turn into an exit code."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process: with an exit code of cli/exit_codes.py, or by the signal that came."""
    _fill_closed_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    before_dashes = arguments[: arguments.index("--")] if "--" in arguments else arguments
    session = Session(Console(as_json="--json" in before_dashes), debug="--debug" in before_dashes)
    _catch_signals(session)
    try:
        code = _run(arguments, session)
    except Stopped as stop:
        session.console.close()
        rest = "; ".join(getattr(stop, "__notes__", ["no half-written file is left"]))
        session.console.note(f"magicpose: stopped by {signal.Signals(stop.number).name}; {rest}")
        _die_by(stop.number)
    except BrokenPipeError:
        _die_by(signal.SIGPIPE)
    _leave(code)


def _run(arguments: list[str], session: Session) -> int:
    try:
        code = app(arguments, obj=session, standalone_mode=False, prog_name="magicpose")
        return code if isinstance(code, int) else DONE
    except (BrokenPipeError, Stopped):
        raise
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):
            raise leaving.__context__ from None
        return leaving.code if isinstance(leaving.code, int) else BUG
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            typer.echo(error.format_message(), err=True)
            return 2
        return _report(_as_usage_error(error), session)
    except typer.Abort:
        return _report(errors.UsageError("nothing was done: the question was answered with no"), session)
    except BaseException as error:
        return _report(error, session)


def _report(error: BaseException, session: Session) -> int:
    """Tell of the error on stderr (and as the JSON object of --json); returns the exit code."""
    console = session.console
    console.close()
    if session.debug:
        console.lines(traceback.format_exception(error))
    known = as_known_error(error)
    if known is not None:
        message, hint, code = known.message, known.hint, exit_code(known)
    else:
        log = _write_log(error)
        message = f"unexpected {type(error).__name__}: {error or 'no details'}"
        hint = f"this is a bug of magicpose; please report it with the log {log}" if log else "use --debug to see more"
        code = BUG
    hint = "; ".join([*([hint] if hint else []), *getattr(error, "__notes__", [])])
    console.error(message, hint)
    console.emit({"error": message, "hint": hint, "exit_code": code})
    return code


def as_known_error(error: BaseException) -> errors.MagicPoseError | None:
    """The error as one of the tree: what other libraries say of memory, devices and full disks is told like ours."""
    if isinstance(error, errors.MagicPoseError):
        return error
    if isinstance(error, ImportError):
        return explain_opencv(error)
    said = (str(error).splitlines() or [""])[0]
    if is_out_of_memory(error):
        return errors.MemoryLimitError(
            f"out of memory: {said or 'an allocation failed'}",
            "use --offload where a GPU is too small, or a smaller --size; 'animate --dry-run' tells what a run takes",
        )
    if type(error).__name__ == "AcceleratorError" or said.startswith(_OF_A_GPU):
        return errors.DeviceError(
            f"the GPU failed: {said}",
            "'magicpose doctor' tells whether it still works; then run the same command again, or use --device cpu",
        )
    if is_disk_full(error):
        where = f" at {error.filename}" if getattr(error, "filename", None) else ""
        return errors.DiskFullError(f"the disk is full{where}", "free some space and run the same command again")
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        where = f": {error.filename}" if error.filename else ""
        return errors.OutputError(
            f"{error.strerror}{where}", "check the place and its rights, then run the same command again"
        )
    return None


def _as_usage_error(error: typer.TyperException) -> errors.UsageError:
    """Typer's complaint as one line in our words, with what was perhaps meant."""
    message = error.format_message().replace("\n", " ").rstrip(".")
    possibilities = getattr(error, "possibilities", None)
    if possibilities:
        message = message.split(" (Possible")[0] + f"; did you mean {' or '.join(sorted(possibilities))}?"
    message = message.replace(". Did you mean", "; did you mean")
    message = message[:1].lower() + message[1:]
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "magicpose"
    return errors.UsageError(message, f"'{command} --help' shows what it takes")


def _write_log(error: BaseException) -> Path | None:
    import tempfile

    name = f"magicpose-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    text = f"magicpose {__version__}, Python {sys.version}\narguments: {sys.argv!r}\n\n"
    text += "".join(traceback.format_exception(error))
    for folder in (cache_root() / "logs", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
            return folder / name
        except OSError:
            continue
    return None


def _fill_closed_streams() -> None:
    """Where stdin, stdout or stderr is closed, no file may get its number later: libraries write there."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def _catch_signals(session: Session) -> None:
    """Ctrl-C and friends unwind the stack once, so that temporary files go; a second one ends the process at once.

    A signal that the parent set to be ignored (nohup, a background job) stays ignored.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for each in ending:
            signal.signal(each, signal.SIG_DFL)
        with suppress(RuntimeError):  # it came in the middle of a line that was being printed
            session.console.close()
            session.console.note("magicpose: stopping; once more, and it leaves at once")
        raise Stopped(number)

    ending = [number for number in ENDING_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in ending:
        signal.signal(number, stop)


def _die_by(number: int) -> None:
    """End by the signal itself, so that a shell's loop ends too."""
    _flush()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _leave(code: int) -> None:
    _flush()
    # Not sys.exit: the interpreter would flush a closed stdout again, complain, and change the code.
    os._exit(code) if _stdout_is_broken() else sys.exit(code)


def _stdout_is_broken() -> bool:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        return True
    return False


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            pass
