"""From the Hub to verified files on disk: what is missing, what it takes, and all of it side by side.

Neither the Hub nor the network is trusted: a file takes its place only when its sha256 is the one in weights.toml.
Files that are there already are used without asking anybody.
"""

import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from magicpose_cli.core.errors import AccessError, DiskFullError, OfflineError
from magicpose_cli.core.paths import weights_root
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.weights import hub_cache, licences, store, verify
from magicpose_cli.weights.fetch import Reports, fetch
from magicpose_cli.weights.part_file import writing
from magicpose_cli.weights.patience import Patience
from magicpose_cli.weights.registry import Registry, Weight, load_registry

_SPARE_BYTES = 64 << 20
_LOOK_EVERY = 0.5  # seconds: a wait without end would not hear Ctrl-C on every system


@dataclass(frozen=True)
class DownloadPlan:
    """What a download would do: ``missing`` files come, ``present`` ones are intact. Sizes in bytes.

    ``kept_bytes`` of the missing ones came with an earlier run. ``unasked``: those whose licence was not yet accepted.
    """

    root: Path
    missing: tuple[Weight, ...]
    present: tuple[Weight, ...]
    unasked: tuple[Weight, ...]
    kept_bytes: int
    free_bytes: int

    @property
    def download_bytes(self) -> int:
        """What is still to come."""
        return max(0, sum(weight.bytes_about for weight in self.missing) - self.kept_bytes)

    @property
    def converted_bytes(self) -> int:
        """What the missing checkpoints take once more when they are converted."""
        return sum(weight.converted_about for weight in self.missing)

    @property
    def licences(self) -> dict[str, tuple[str, ...]]:
        """Licence → names of the missing weights under it."""
        found: dict[str, tuple[str, ...]] = {}
        for weight in self.missing:
            found[weight.licence] = (*found.get(weight.licence, ()), weight.name)
        return found


def plan_download(
    names: Iterable[str] = (),
    root: Path | None = None,
    *,
    registry: Registry | None = None,
    progress: Progress = SILENT,
) -> DownloadPlan:
    """What ``download`` would fetch for these names and groups (none: what ``animate`` needs). No network."""
    root = root or weights_root()
    wanted = (registry or load_registry()).select(names)
    present = tuple(w for w in wanted if verify.is_intact(store.path_of(w, root), w, progress))
    missing = tuple(w for w in wanted if w not in present)
    existing = next(folder for folder in (root, *root.absolute().parents) if folder.is_dir())
    return DownloadPlan(
        root,
        missing,
        present,
        unasked=licences.not_accepted(missing, root),
        kept_bytes=sum(_kept(weight, root) for weight in missing),
        free_bytes=shutil.disk_usage(existing).free,
    )


def download(
    names: Iterable[str] = (),
    root: Path | None = None,
    *,
    accept: Callable[[DownloadPlan], bool],
    registry: Registry | None = None,
    progress: Progress = SILENT,
    patience: Patience | None = None,
) -> tuple[Path, ...]:
    """Fetch what is missing of these names and groups; returns the paths of all of them, in weights.toml's order.

    ``accept`` is shown the plan (sizes, licences) before the first byte, and says whether to go on; it is not asked
    where nothing is missing. However it ends, what came stays, and the same call goes on there. ``progress`` is called
    from several threads, one at a time. Raises AccessError (not accepted; gated or private), OfflineError,
    DiskFullError, NotOnHubError, DownloadError, IntegrityError (both hashes), OutputError, UsageError (unknown name).
    """
    names = tuple(names)
    registry = registry or load_registry()
    root = root or weights_root()
    for weight in registry.select(names):
        path = store.path_of(weight, root)
        if not path.exists() and (found := hub_cache.find(weight)) is not None:
            hub_cache.take(found, weight, path, progress)
    plan = plan_download(names, root, registry=registry, progress=progress)
    if plan.missing:
        _check_plan(plan)
        if not accept(plan):
            raise AccessError(
                f"the licence of {', '.join(weight.name for weight in plan.missing)} was not accepted",
                "read it, then run the same again and agree, or add --yes",
            )
        with writing(root / "accepted-licences.json"):
            licences.note_accepted(plan.missing, root)
        _fetch_all(plan, patience or Patience(), progress)
    return tuple(store.path_of(weight, root) for weight in registry.select(names))


def _kept(weight: Weight, root: Path) -> int:
    part = store.part_of(store.path_of(weight, root), weight)
    return part.stat().st_size if part.is_file() else 0


def _check_plan(plan: DownloadPlan) -> None:
    from huggingface_hub import constants

    if constants.is_offline_mode():
        raise OfflineError(
            f"{plan.missing[0].name} is not on this machine and HF_HUB_OFFLINE forbids the network",
            f"unset HF_HUB_OFFLINE, or put the files under {plan.root}",
        )
    needed = plan.download_bytes + plan.converted_bytes
    if plan.free_bytes < needed + _SPARE_BYTES:
        conversion = f", its conversion {plan.converted_bytes / 1e9:.1f} GB" if plan.converted_bytes else ""
        raise DiskFullError(
            f"{plan.root} has {plan.free_bytes / 1e9:.1f} GB free; "
            f"the download needs {plan.download_bytes / 1e9:.1f} GB{conversion}",
            "free some space, or choose another disk with --dir or MAGICPOSE_HOME",
        )


def _fetch_all(plan: DownloadPlan, patience: Patience, progress: Progress) -> None:
    """All that is missing, some files at once. The first failure stops the others; all that came is kept."""
    title = plan.missing[0].name if len(plan.missing) == 1 else f"{len(plan.missing)} files"
    total = sum(weight.bytes_about for weight in plan.missing)
    try:
        with progress.stage(f"download {title}", total, "byte", done=plan.kept_bytes) as advance:
            _run(plan, patience, Reports(progress, advance))
    except BaseException as error:
        if not isinstance(error, Exception):  # a signal
            progress.note("what has come is kept: the same command goes on from there")
        raise


def _run(plan: DownloadPlan, patience: Patience, reports: Reports) -> None:
    stop = threading.Event()
    pool = ThreadPoolExecutor(patience.files_at_once, thread_name_prefix="download")
    try:
        pending: set[Future[None]] = {
            pool.submit(fetch, weight, store.path_of(weight, plan.root), patience, reports, stop)
            for weight in plan.missing
        }
        while pending:
            done, pending = wait(pending, _LOOK_EVERY, FIRST_COMPLETED)
            for future in done:
                future.result()
    except BaseException as error:
        stop.set()
        # The word of a signal is not kept waiting; an error leaves no thread behind it.
        pool.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
        raise
    pool.shutdown()
