"""One question to the Hub, and what its answer says before the body is used.

The Hub's own client lends address, token, proxies and mirrors (``HF_ENDPOINT``, ``HF_TOKEN``, ``HF_HUB_OFFLINE``).
Redirects are followed here, hop by hop: the Hub's answer names size and sha256 before it sends us on, and the token
must not go along.
"""

import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from magicpose_cli import __version__
from magicpose_cli.core.errors import (
    AccessError,
    DownloadError,
    IntegrityError,
    NotOnHubError,
    OfflineError,
    UsageError,
)
from magicpose_cli.weights.part_file import strong_etag
from magicpose_cli.weights.patience import asked_wait
from magicpose_cli.weights.registry import Weight

_MOST_HOPS = 8
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429)  # and all from 500 on
_COUNT = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class PassingError(Exception):
    """A failure that may pass; ``wait`` is the server's word in seconds, or None."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class PartRefusedError(PassingError):
    """What is kept cannot be gone on with: only a start from the first byte helps."""


@dataclass(frozen=True)
class Answer:
    """The bytes of a file from ``start`` on; ``etag`` names its version, '' where the server has no strong name."""

    host: str
    start: int
    etag: str
    chunks: Iterator[bytes]


def check_address() -> None:
    """Raise UsageError where HF_ENDPOINT cannot be read: the Hub's client would fail as it is imported."""
    try:
        _ = urlsplit(os.environ.get("HF_ENDPOINT", "")).port  # reading the port checks it
    except ValueError as error:
        raise UsageError(
            f"HF_ENDPOINT is no web address: {error}", "correct it, or unset it to ask https://huggingface.co"
        ) from None


@contextmanager
def ask(weight: Weight, start: int, etag: str, stall: float) -> Iterator[Answer]:
    """Ask for ``weight`` from byte ``start`` on, if the version is still ``etag``; the answer lives within the block.

    ``stall``: seconds without a byte, in the block too, after which it is a failure. The answer may start at 0 all
    the same. Raises PassingError where another try may help, else AccessError, NotOnHubError, IntegrityError (another
    size or sha256 is offered), OfflineError, DownloadError.
    """
    import httpx2
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.errors import OfflineModeIsEnabled

    ranged = {"range": f"bytes={start}-"} | ({"if-range": etag} if etag else {}) if start else {}
    headers = {"user-agent": f"magicpose/{__version__}", "accept-encoding": "identity"} | ranged
    token, host, answering = _token(), "the Hub", False
    try:
        url = httpx2.URL(hf_hub_url(weight.repo, weight.file, revision=weight.revision))
        hub = home = _origin(url)
        for _ in range(_MOST_HOPS):
            host = url.host or "the Hub"
            at_home = _origin(url) == home
            home = home if at_home else ()  # once away, no way back: the token stays behind for good
            sent = headers | ({"authorization": f"Bearer {token}"} if token and at_home else {})
            with get_session().stream("GET", url, headers=sent, timeout=stall, follow_redirects=False) as response:
                if response.status_code in _REDIRECTS:
                    _check_announced(response, weight)
                    url = _next_url(url, response.headers.get("location", ""), weight)
                    continue
                if _origin(url) == hub:
                    _check_hub(response, weight, bool(token))
                _check_status(response, weight, start)
                answering = True
                yield _checked_body(response, weight, start, etag)
                return
        raise DownloadError(f"{host} sends {weight.name} in circles", "try again later, or check HF_ENDPOINT")
    except OfflineModeIsEnabled as error:
        raise OfflineError(f"{weight.name} is not on this machine and the Hub is set offline", "go online") from error
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError) as error:
        raise DownloadError(f"cannot fetch {weight.name} from {host}: {error}", "check HF_ENDPOINT") from error
    except (httpx2.RequestError, httpx2.StreamError) as error:
        if _is_untrusted(error):
            raise DownloadError(
                f"{host} cannot show that it is {host}: {error}",
                "check this machine's clock, and its proxy: SSL_CERT_FILE names the certificates to trust",
            ) from error
        if isinstance(error, httpx2.TimeoutException):
            what = f"no byte for {stall:g} s"
        elif answering and not isinstance(error, httpx2.DecodingError):
            what = "the connection broke in the middle of the file"
        else:
            what = str(error) or "no connection"
        raise PassingError(f"{host}: {what}") from error


def _token() -> str | None:
    from huggingface_hub import constants, get_token

    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    if token and not _TOKEN.fullmatch(token):
        raise AccessError("HF_TOKEN holds characters that no token has", "run 'hf auth login', or correct HF_TOKEN")
    return token


def _origin(url: Any) -> tuple[object, ...]:
    return (url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme))


def _is_untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _next_url(url: Any, location: str, weight: Weight) -> Any:
    if not location:
        raise DownloadError(f"{url.host} sends {weight.name} on without saying where", "check HF_ENDPOINT")
    following = url.join(location)
    if following.scheme not in ("http", "https") or not following.host:
        raise DownloadError(f"{url.host} sends {weight.name} to what is no web address: refused", "check HF_ENDPOINT")
    if url.scheme == "https" and following.scheme != "https":
        raise DownloadError(f"{url.host} sends {weight.name} over an unprotected line: refused", "check HF_ENDPOINT")
    return following


def _check_announced(response: Any, weight: Weight) -> None:
    """Size and sha256 that the Hub names before it sends us on."""
    _check_offered_size(response.headers.get("x-linked-size", ""), response.url.host, weight)
    announced = response.headers.get("x-linked-etag", "").removeprefix("W/").strip('"')
    if _SHA256.fullmatch(announced) and announced != weight.sha256:
        raise IntegrityError(
            f"{response.url.host} offers another file as {weight.name}: "
            f"sha256 {announced}, weights.toml says {weight.sha256}",
            _MISTRUST,
        )


def _check_hub(response: Any, weight: Weight, with_token: bool) -> None:
    """What only the Hub itself, and no host that it sends us to, can say of access and existence."""
    status, host = response.status_code, response.url.host
    said = response.headers.get("x-error-code", "")
    if status in (401, 403):
        state = "is gated: its licence has to be accepted" if said == "GatedRepo" else "is missing, private or gated"
        other = "; the token in use may be wrong or expired" if with_token and status == 401 else ""
        raise AccessError(
            f"{host} refuses {weight.name} ({status}): {weight.repo} {state}{other}",
            f"look at {weight.page}, then run 'hf auth login' or set HF_TOKEN",
        )
    if status in (404, 410):
        what = {"EntryNotFound": f"no file {weight.file}", "RevisionNotFound": "no such commit"}.get(said, "nothing")
        raise NotOnHubError(
            f"{host} has {what} for {weight.name}: {weight.repo} at {weight.revision[:12]}",
            "update magicpose-cli, or choose a mirror that has it with HF_ENDPOINT",
        )


def _check_status(response: Any, weight: Weight, start: int) -> None:
    status, host = response.status_code, response.url.host
    if status in (200, 206):
        return
    if status == 416 and start:
        raise PartRefusedError(f"{host} does not know the place to go on from (416)")
    if status in _PASSING or status >= 500:
        reason = "too many requests" if status == 429 else f"the server fails ({status})"
        raise PassingError(f"{host}: {reason}", asked_wait(response.headers))
    if status in (401, 403, 404, 410):  # not the Hub's: a signed address that ran out, or a copy not yet there
        raise PassingError(f"{host} refuses the Hub's address of the file ({status})")
    raise DownloadError(f"{host} answered {status} for {weight.name}", "try again later, or check HF_ENDPOINT")


def _checked_body(response: Any, weight: Weight, start: int, etag: str) -> Answer:
    """Is it the file, of the right length, from the right place on? The first bytes are looked at, too."""
    host, headers = response.url.host, response.headers
    encoded = headers.get("content-encoding", "identity").lower() != "identity"
    found_etag = strong_etag(headers.get("etag", ""))
    begin, total = 0, headers.get("content-length", "") if not encoded else ""
    if response.status_code == 206:
        parsed = _RANGE.fullmatch(headers.get("content-range", ""))
        if encoded or parsed is None or int(parsed[1]) != start:
            raise PartRefusedError(f"{host} sends another piece of the file than it was asked for")
        if etag and found_etag and found_etag != etag:
            raise PartRefusedError(f"{host} has another version of the file than before")
        begin, total = start, parsed[2]
    chunks = response.iter_bytes() if encoded else response.iter_raw()
    first = next(chunks, b"")
    if begin == 0 and _is_web_page(headers.get("content-type", ""), first):
        raise DownloadError(
            f"{host} answered with a web page instead of {weight.name}",
            "is a login page of the network in between? Open a browser, then try again",
        )
    _check_offered_size(total, host, weight)
    return Answer(host, begin, found_etag, chain([first], chunks))


def _is_web_page(kind: str, first: bytes) -> bool:
    return kind.startswith("text/html") or first[:64].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _check_offered_size(said: str, host: str, weight: Weight) -> None:
    size = int(said) if _COUNT.fullmatch(said) else weight.size
    if weight.size is not None and size != weight.size:
        raise IntegrityError(
            f"{host} offers {weight.name} with {size} bytes, weights.toml says {weight.size}", _MISTRUST
        )


_MISTRUST = "do not use it; update magicpose-cli, or choose another mirror with HF_ENDPOINT"
