"""From the Hub to a verified file on disk.

The Hub's own client gives address, token, proxies and mirrors (``HF_ENDPOINT``, ``HF_TOKEN``, ``HF_HUB_OFFLINE``),
but neither it nor the network is trusted: a file takes its place only when its sha256 is the one in weights.toml.
Files that are there already are used without asking anybody.
"""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magicpose_cli import __version__
from magicpose_cli.core.disk import is_disk_full
from magicpose_cli.core.errors import (
    AccessError,
    DiskFullError,
    DownloadError,
    IntegrityError,
    NotOnHubError,
    OfflineError,
    OutputError,
)
from magicpose_cli.core.paths import weights_root
from magicpose_cli.core.progress import SILENT, Progress
from magicpose_cli.weights import store, verify
from magicpose_cli.weights.registry import Registry, Weight, load_registry

_ATTEMPTS = 3
_LONGEST_WAIT = 300.0  # seconds; the Hub counts requests in windows of five minutes
_SPARE_BYTES = 64 << 20
_CHUNK = 1 << 20


@dataclass(frozen=True)
class DownloadPlan:
    """What a download would do: ``missing`` files come, ``present`` ones are intact. Sizes in bytes."""

    root: Path
    missing: tuple[Weight, ...]
    present: tuple[Weight, ...]
    free_bytes: int

    @property
    def download_bytes(self) -> int:
        return sum(weight.bytes_about for weight in self.missing)

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


class _Transient(Exception):
    """A failure that may pass; ``wait`` is the server's word in seconds, or None."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


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
    return DownloadPlan(root, missing, present, shutil.disk_usage(existing).free)


def download(
    names: Iterable[str] = (),
    root: Path | None = None,
    *,
    accept: Callable[[DownloadPlan], bool],
    registry: Registry | None = None,
    progress: Progress = SILENT,
) -> tuple[Path, ...]:
    """Fetch what is missing of these names and groups; returns the paths of all of them, in weights.toml's order.

    ``accept`` is shown the plan (sizes, licences) before the first byte, and says whether to go on; it is not asked
    where nothing is missing. Raises AccessError (not accepted; gated or private), OfflineError, DiskFullError,
    NotOnHubError, DownloadError, IntegrityError (both hashes), OutputError, UsageError (unknown name).
    """
    names = tuple(names)
    registry = registry or load_registry()
    plan = plan_download(names, root, registry=registry, progress=progress)
    if plan.missing:
        _check_plan(plan)
        if not accept(plan):
            raise AccessError(
                f"the licence of {', '.join(weight.name for weight in plan.missing)} was not accepted",
                "read it, then run the same again and agree, or add --yes",
            )
        for weight in plan.missing:
            _fetch(weight, store.path_of(weight, plan.root), progress)
    return tuple(store.path_of(weight, plan.root) for weight in registry.select(names))


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


def _fetch(weight: Weight, path: Path, progress: Progress) -> None:
    """One file, tried a few times where the failure may pass."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                found = _stream(weight, part, progress)
                break
            except _Transient as failure:
                if attempt == _ATTEMPTS:
                    raise DownloadError(f"cannot fetch {weight.name}: {failure}", "try again later") from failure
                wait = 2.0**attempt if failure.wait is None else failure.wait
                if wait > _LONGEST_WAIT:
                    raise DownloadError(
                        f"cannot fetch {weight.name}: {failure}", f"try again in {wait / 60:.0f} minutes"
                    ) from failure
                progress.note(f"{weight.name}: {failure}; trying again in {wait:.0f} s")
                time.sleep(wait)
        if found != weight.sha256:
            raise verify.mismatch(path, weight, found)
        os.replace(part, path)
        store.mark_verified(path, found)
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError(f"the disk of {path.parent} is full", "free some space, then run it again") from error
        raise OutputError(f"cannot write {path}: {error.strerror}", "check the folder and its rights") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _stream(weight: Weight, part: Path, progress: Progress) -> str:
    """The Hub's answer into ``part``; returns its sha256."""
    import httpx2
    from huggingface_hub import constants, get_session, get_token, hf_hub_url
    from huggingface_hub.errors import OfflineModeIsEnabled

    url = hf_hub_url(weight.repo, weight.file, revision=weight.revision)
    host = httpx2.URL(url).host
    headers = {"user-agent": f"magicpose/{__version__}", "accept-encoding": "identity"}
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    if token:
        headers["authorization"] = f"Bearer {token}"  # the client drops it where the Hub sends us to another host
    digest, received = hashlib.sha256(), 0
    try:
        with (
            get_session().stream("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response,
            open(part, "wb") as file,
            progress.stage(f"download {weight.name}", weight.bytes_about or None, "byte") as advance,
        ):
            _check_answer(response, weight, host)
            for chunk in response.iter_bytes(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                received += len(chunk)
                advance(len(chunk))
                _check_size(received, weight, host, exact=False)
            file.flush()
            os.fsync(file.fileno())
    except OfflineModeIsEnabled as error:
        raise OfflineError(f"{weight.name} is not on this machine and the Hub is set offline", "go online") from error
    except (httpx2.TransportError, httpx2.StreamError) as error:
        what = "no answer in time" if isinstance(error, httpx2.TimeoutException) else str(error) or "broken connection"
        raise _Transient(f"{host}: {what}") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DownloadError(f"cannot fetch {weight.name} from {host}: {error}", "check HF_ENDPOINT") from error
    _check_size(received, weight, host, exact=True)
    return digest.hexdigest()


def _check_answer(response: Any, weight: Weight, host: str) -> None:
    """Status, kind and length of the answer, before its body is read."""
    status = response.status_code
    said = response.headers.get("x-error-code", "")
    pin = f"{weight.repo} at {weight.revision[:12]}"
    if status in (401, 403):
        state = "is gated: its licence has to be accepted" if said == "GatedRepo" else "is missing, private or gated"
        raise AccessError(
            f"{host} refuses {weight.name} ({status}): {weight.repo} {state}",
            f"look at {weight.page}, then run 'hf auth login' or set HF_TOKEN",
        )
    if status == 404:
        what = {"EntryNotFound": f"no file {weight.file}", "RevisionNotFound": "no such commit"}.get(said, "nothing")
        raise NotOnHubError(
            f"{host} has {what} for {weight.name}: {pin}",
            "update magicpose-cli, or choose a mirror that has it with HF_ENDPOINT",
        )
    if status == 429 or status >= 500:
        reason = "too many requests" if status == 429 else f"the server fails ({status})"
        raise _Transient(f"{host}: {reason}", _asked_wait(response.headers))
    if status != 200:
        raise DownloadError(f"{host} answered {status} for {weight.name}", "try again later, or check HF_ENDPOINT")
    hops = [*response.history, response]
    if str(hops[0].url).startswith("https:") and any(hop.url.scheme != "https" for hop in hops):
        raise DownloadError(f"{host} sends {weight.name} over an unprotected line: refused", "check HF_ENDPOINT")
    if response.headers.get("content-type", "").startswith("text/html"):
        raise DownloadError(
            f"{host} answered with a web page instead of {weight.name}",
            "is a login page of the network in between? Open a browser, then try again",
        )
    length = response.headers.get("content-length", "")
    if length.isdigit() and weight.size is not None and int(length) != weight.size:
        raise IntegrityError(
            f"{host} offers {weight.name} with {int(length)} bytes, weights.toml says {weight.size}",
            "do not use it; update magicpose-cli, or choose another mirror with HF_ENDPOINT",
        )


def _check_size(received: int, weight: Weight, host: str, exact: bool) -> None:
    if weight.size is not None and (received > weight.size or (exact and received < weight.size)):
        raise IntegrityError(
            f"{host} sent {received} bytes for {weight.name}, weights.toml says {weight.size}", "fetch it again"
        )


def _asked_wait(headers: Any) -> float | None:
    """Seconds that the server asks to wait: RateLimit's ``t``, or Retry-After."""
    from huggingface_hub.utils import parse_ratelimit_headers

    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds) + 1
    after = headers.get("retry-after", "")
    return float(after) if after.isdigit() else None
