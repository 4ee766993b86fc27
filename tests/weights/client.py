"""Downloads in a process of its own: told by the JSON of its one argument, tells in lines of JSON on stdout."""

import json
import sys

opened: list[str] = []
sys.addaudithook(
    lambda event, arguments: opened.append(event) if event in ("socket.__new__", "socket.connect") else None
)

from contextlib import contextmanager  # noqa: E402

from magicpose_cli.core.errors import MagicPoseError  # noqa: E402
from magicpose_cli.weights.download import download  # noqa: E402
from magicpose_cli.weights.patience import Patience  # noqa: E402


def tell(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Lines:
    """Progress as lines: each note, and the bytes that are done after each step."""

    @contextmanager
    def stage(self, name, total, unit="frame", done=0):
        tell(stage=name, total=total, done=done)
        count = done

        def advance(steps=1, detail=""):
            nonlocal count
            count += steps
            tell(done=count)

        yield advance

    def note(self, message):
        tell(note=message)


def fetch(names: list[str], patience: Patience) -> dict[str, object]:
    asked: list[int] = []

    def accept(plan) -> bool:
        asked.append(plan.download_bytes)
        return True

    before = len(opened)
    try:
        paths = download(names, accept=accept, progress=Lines(), patience=patience)
        outcome: dict[str, object] = {"paths": [str(path) for path in paths]}
    except MagicPoseError as error:
        outcome = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    return outcome | {"asked": asked, "sockets": len(opened) - before}


job = json.loads(sys.argv[1])
if job["locks_do_nothing"]:  # as on some network drives
    import fcntl

    fcntl.flock = lambda descriptor, operation: None
if limit := job["file_size_limit"]:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
patience = Patience(**job["patience"])
groups = [job["names"]] if job["together"] else [[name] for name in job["names"]]
for group in groups:
    tell(result=fetch(group, patience), of=group)
