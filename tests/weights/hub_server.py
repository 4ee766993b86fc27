"""A hub and a file host on this machine that speak the Hub's protocol over real sockets, and fail as asked.

The repository's name chooses what happens: ``someone/cut`` breaks off once, ``someone/gated`` refuses. The hub answers
HEAD and GET of ``/{owner}/{repo}/resolve/{commit}/{file}`` as huggingface.co does for a large file: 302 with
X-Repo-Commit, X-Linked-Size and X-Linked-Etag, and a signed address on another origin. The file host knows ETag, Range
and If-Range. Timing is in the hands of events: a stalled answer stands until the client goes or the server closes.
"""

import gzip
import hashlib
import re
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REVISION = "0123456789abcdef0123456789abcdef01234567"
CONTENT = bytes(range(256)) * 12_000  # 3 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2
ETAG = '"version-1"'
LOGIN = b"<!DOCTYPE html><html>please log in</html>"


@dataclass(frozen=True)
class Asked:
    """One request as it came in. ``side`` is ``hub`` or ``files``."""

    side: str
    repo: str
    path: str
    token: str | None
    range: str | None
    if_range: str | None


@dataclass
class LocalHub:
    """Both servers, and all that they were asked. ``gate`` lets answers that wait for it (repo ``gate``) go on."""

    address: str = ""
    files_address: str = ""
    asked: list[Asked] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    together: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))
    closing: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, side: str, *repos: str) -> list[Asked]:
        return [each for each in self.asked if each.side == side and (not repos or each.repo in repos)]

    def forget(self) -> None:
        """As if nothing had been asked: what fails once fails anew."""
        with self.lock:
            self.asked.clear()
        self.gate.clear()


class Handler(BaseHTTPRequestHandler):
    """What both servers share: answers that are right, and answers that are not."""

    protocol_version = "HTTP/1.1"
    hub: LocalHub
    side: str

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.repo = self.path.split("?")[0].split("/")[2]
        get = self.headers.get
        asked = Asked(self.side, self.repo, self.path, get("Authorization"), get("Range"), get("If-Range"))
        with self.hub.lock:
            nth = len(self.hub.of(self.side, self.repo))
            self.hub.asked.append(asked)
        try:
            (HUB if self.side == "hub" else FILES).get(self.repo, _usual)(self, nth)
        except (BrokenPipeError, ConnectionResetError, threading.BrokenBarrierError):
            self.close_connection = True  # the client is gone, which is what some tests are about

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def answer(self, status: int, body: bytes = b"", **headers: object) -> None:
        self.head(status, **{"Content_Length": len(body)} | headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def usual(self, etag: str = ETAG) -> None:
        """What a healthy server says."""
        if self.side == "hub":
            self.redirect(f"{self.hub.files_address}/files/{self.repo}?X-Signature=secret-signature")
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(asked[1]) if asked and self.headers.get("If-Range", etag) == etag else 0
        if begin >= len(CONTENT):
            self.answer(416, Content_Range=f"bytes */{len(CONTENT)}")
        elif begin:
            place = f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"
            self.answer(206, CONTENT[begin:], ETag=etag, Content_Range=place)
        else:
            self.answer(200, CONTENT, ETag=etag, Accept_Ranges="bytes")

    def redirect(self, location: str, **headers: object) -> None:
        linked = {"X_Linked_Size": len(CONTENT), "X_Linked_Etag": f'"{SHA256}"', "ETag": f'"{SHA256}"'}
        self.answer(302, **linked | {"X_Repo_Commit": REVISION, "Location": location} | headers)

    def begin(self, length: int = HALF, etag: str = ETAG) -> None:
        """The first ``length`` bytes of an answer that promises all of them."""
        self.head(200, Content_Length=len(CONTENT), ETag=etag)
        self.wfile.write(CONTENT[:length])
        self.wfile.flush()
        self.close_connection = True

    def unsized(self, *bodies: bytes, **headers: object) -> None:
        """A chunked answer, whose length is known at its end."""
        self.head(200, **{"Transfer_Encoding": "chunked"} | headers)
        for body in (*bodies, b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))

    def reset(self) -> None:
        """A RST in place of an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def stand_still(self) -> None:
        """Until the server closes: whoever asked has to give up by itself."""
        self.hub.closing.wait()
        self.close_connection = True

    def drip(self) -> None:
        """A byte now and then, for ever."""
        while not self.hub.closing.wait(0.05):
            self.wfile.write(b"\0")
            self.wfile.flush()


Mode = Callable[[Handler, int], None]
HUB: dict[str, Mode] = {}  # by repository: what the hub does with its nth request (from 0)
FILES: dict[str, Mode] = {}


def _usual(handler: Handler, nth: int) -> None:
    handler.usual()


def _mode(table: dict[str, Mode], *repos: str) -> Callable[[Mode], Mode]:
    def add(mode: Mode) -> Mode:
        table.update(dict.fromkeys(repos, mode))
        return mode

    return add


def _then_usual(table: dict[str, Mode], repo: str) -> Callable[[Callable[[Handler], None]], None]:
    """Fails the first time, and is healthy from then on."""

    def add(first: Callable[[Handler], None]) -> None:
        table[repo] = lambda handler, nth: handler.usual() if nth else first(handler)

    return add


def _cut_then(repo: str) -> Callable[[Callable[[Handler], None]], None]:
    """Breaks off in the middle; what it does with the request to go on there; healthy from then on."""

    def add(second: Callable[[Handler], None]) -> None:
        FILES[repo] = lambda handler, nth: (
            handler.begin() if nth == 0 else second(handler) if nth == 1 else _usual(handler, nth)
        )

    return add


# ---- the hub ----

for _repo, _status, _headers in (
    ("gated", 403, {"X_Error_Code": "GatedRepo", "X_Error_Message": "Access is restricted"}),
    ("private", 401, {"X_Error_Code": "RepoNotFound"}),
    ("bad-token", 401, {"X_Error_Message": "Invalid credentials in Authorization header"}),
    ("no-repo", 404, {"X_Error_Code": "RepoNotFound"}),
    ("gone", 404, {"X_Error_Code": "EntryNotFound"}),
    ("old-commit", 404, {"X_Error_Code": "RevisionNotFound"}),
    ("teapot", 418, {}),
    ("always-busy", 429, {}),
    ("much-too-busy", 429, {"RateLimit": '"resolvers";r=0;t=900'}),
    ("busy-till-tomorrow", 429, {"Retry_After": "86400"}),
    ("down", 503, {"Retry_After": "0"}),
    ("no-such-place", 302, {}),
    ("to-a-file", 302, {"Location": "file:///etc/passwd"}),
    ("to-nonsense", 302, {"Location": "http://localhost:banana/"}),
):
    HUB[_repo] = lambda handler, nth, status=_status, headers=_headers: handler.answer(status, **headers)

_then_usual(HUB, "busy")(lambda handler: handler.answer(429, RateLimit='"resolvers";r=0;t=1', Retry_After="0"))
_then_usual(HUB, "busy-seconds")(lambda handler: handler.answer(429, Retry_After="1"))
_then_usual(HUB, "busy-silent")(lambda handler: handler.answer(429))
_then_usual(HUB, "busy-nonsense")(lambda handler: handler.answer(429, RateLimit="soon", Retry_After="next week"))
_then_usual(HUB, "failing")(lambda handler: handler.answer(500))


@_mode(HUB, "busy-date")
def _(handler: Handler, nth: int) -> None:
    if nth:
        handler.usual()
        return
    handler.send_response_only(429)  # without the true date: the server's clock is years behind
    handler.send_header("Date", formatdate(1_000_000_000, usegmt=True))
    handler.send_header("Retry-After", formatdate(1_000_000_001, usegmt=True))
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@_mode(HUB, "moved")
def _(handler: Handler, nth: int) -> None:
    handler.answer(307, Location=handler.path.replace("/moved/", "/moved-here/"))


@_mode(HUB, "direct")
def _(handler: Handler, nth: int) -> None:
    handler.answer(200, CONTENT, ETag='"x"', X_Repo_Commit=REVISION)


@_mode(HUB, "login")
def _(handler: Handler, nth: int) -> None:
    handler.answer(200, LOGIN, Content_Type="text/html; charset=utf-8")


@_mode(HUB, "login-untold")
def _(handler: Handler, nth: int) -> None:
    handler.unsized(LOGIN)


@_mode(HUB, "circles")
def _(handler: Handler, nth: int) -> None:
    handler.redirect(handler.path)


@_mode(HUB, "there-and-back")
def _(handler: Handler, nth: int) -> None:
    """Sends to the file host, which sends back to the hub."""
    handler.redirect(f"{handler.hub.files_address}/files/there-and-back") if nth == 0 else handler.answer(200, CONTENT)


@_mode(FILES, "there-and-back")
def _(handler: Handler, nth: int) -> None:
    handler.redirect(f"{handler.hub.address}/someone/there-and-back/resolve/x")


@_mode(HUB, "other-size")
def _(handler: Handler, nth: int) -> None:
    handler.redirect("http://127.0.0.1:9/never-asked", X_Linked_Size=len(CONTENT) + 1)


@_mode(HUB, "other-sha256")
def _(handler: Handler, nth: int) -> None:
    handler.redirect("http://127.0.0.1:9/never-asked", X_Linked_Etag=f'"{"0" * 64}"')


@_mode(HUB, "garbage")
def _(handler: Handler, nth: int) -> None:
    handler.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    handler.close_connection = True


@_mode(HUB, "garbage-headers")
def _(handler: Handler, nth: int) -> None:
    handler.wfile.write(b"HTTP/1.1 302 Found\r\n\xff\xfe: \x01\r\nno colon here\r\n\r\n")
    handler.close_connection = True


@_mode(HUB, "silent")
def _(handler: Handler, nth: int) -> None:
    handler.stand_still()


# ---- the file host ----

_cut_then("cut")(Handler.usual)
_cut_then("range-ignored")(lambda handler: handler.answer(200, CONTENT, ETag=ETAG))
_cut_then("new-version")(lambda handler: handler.usual(etag='"version-2"'))
_cut_then("mixed-version")(
    lambda handler: handler.answer(
        206, b"!" * HALF, ETag='"version-2"', Content_Range=f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT)}"
    )
)
_cut_then("wrong-piece")(
    lambda handler: handler.answer(206, CONTENT[:HALF], ETag=ETAG, Content_Range=f"bytes 0-{HALF - 1}/{len(CONTENT)}")
)
_cut_then("unnamed-piece")(lambda handler: handler.answer(206, CONTENT[HALF:], ETag=ETAG))
_cut_then("416")(lambda handler: handler.answer(416))
_cut_then("packed-piece")(
    lambda handler: handler.answer(
        206,
        gzip.compress(CONTENT[HALF:], 1),
        Content_Encoding="gzip",
        Content_Range=f"bytes {HALF}-{len(CONTENT) - 1}/{len(CONTENT)}",
    )
)
_cut_then("other-total")(
    lambda handler: handler.answer(
        206, CONTENT[HALF:], ETag=ETAG, Content_Range=f"bytes {HALF}-{len(CONTENT)}/{len(CONTENT) + 1}"
    )
)
_then_usual(FILES, "expired")(lambda handler: handler.answer(403, b"<Error>Request has expired</Error>"))
_then_usual(FILES, "flipped-once")(lambda handler: handler.answer(200, b"?" + CONTENT[1:]))


@_then_usual(FILES, "reset")
def _(handler: Handler) -> None:
    handler.begin()
    handler.reset()


@_then_usual(FILES, "stalled")
def _(handler: Handler) -> None:
    handler.begin()
    handler.stand_still()


@_then_usual(FILES, "dripping")
def _(handler: Handler) -> None:
    handler.begin(0)
    handler.drip()


@_mode(FILES, "weak-etag")
def _(handler: Handler, nth: int) -> None:
    handler.usual(etag='W/"version-1"') if nth else handler.begin(etag='W/"version-1"')


@_mode(FILES, "bad-line")
def _(handler: Handler, nth: int) -> None:
    """Gives 400 kB a time."""
    begin = 400_000 * nth
    piece = CONTENT[begin : begin + 400_000]
    if not nth:
        handler.begin(400_000)
        return
    place = f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"
    handler.head(206, Content_Length=len(CONTENT) - begin, Content_Range=place, ETag=ETAG)
    handler.wfile.write(piece)
    handler.close_connection = True


@_mode(FILES, "packed")
def _(handler: Handler, nth: int) -> None:
    handler.answer(200, gzip.compress(CONTENT, 1), Content_Encoding="gzip", ETag=ETAG)


@_mode(FILES, "packed-badly")
def _(handler: Handler, nth: int) -> None:
    handler.answer(200, CONTENT, Content_Encoding="gzip", ETag=ETAG)


@_mode(FILES, "unsized")
def _(handler: Handler, nth: int) -> None:
    handler.unsized(CONTENT[:HALF], CONTENT[HALF:])


@_mode(FILES, "endless")
def _(handler: Handler, nth: int) -> None:
    handler.unsized(CONTENT, CONTENT)


@_mode(FILES, "unsized-short")
def _(handler: Handler, nth: int) -> None:
    handler.unsized(CONTENT[:1000])


@_mode(FILES, "flipped")
def _(handler: Handler, nth: int) -> None:
    handler.answer(200, bytes([CONTENT[0] ^ 1]) + CONTENT[1:])


@_mode(FILES, "longer")
def _(handler: Handler, nth: int) -> None:
    handler.answer(200, CONTENT + b"!")


@_mode(FILES, "shorter")
def _(handler: Handler, nth: int) -> None:
    handler.answer(200, CONTENT[:-1])


@_mode(FILES, "always-cut")
def _(handler: Handler, nth: int) -> None:
    """Promises all and gives the same first half each time."""
    handler.begin()


@_mode(FILES, "always-reset")
def _(handler: Handler, nth: int) -> None:
    handler.begin(1000)
    handler.reset()


@_mode(FILES, "bad-length")
def _(handler: Handler, nth: int) -> None:
    handler.answer(200, CONTENT, Content_Length="banana")


@_mode(FILES, "always-expired")
def _(handler: Handler, nth: int) -> None:
    handler.answer(403)


@_mode(FILES, "always-dripping")
def _(handler: Handler, nth: int) -> None:
    handler.begin(0)
    handler.drip()


@_mode(FILES, "always-stalled")
def _(handler: Handler, nth: int) -> None:
    handler.begin(1000)
    handler.stand_still()


@_mode(FILES, "gate")
def _(handler: Handler, nth: int) -> None:
    """Gives one half; the other, and all later answers, once the gate opens."""
    if nth == 0:
        handler.begin()
    handler.hub.gate.wait()
    handler.wfile.write(CONTENT[HALF:]) if nth == 0 else handler.usual()


@_mode(FILES, "both-1", "both-2")
def _(handler: Handler, nth: int) -> None:
    """Answers only when the other is asked for, too."""
    handler.hub.together.wait()
    handler.usual()


# ---- running it ----


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves in the middle is what many tests are about; other errors are ours, and shown."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


@contextmanager
def local_hub(certificate: Path | None = None) -> Iterator[LocalHub]:
    """Both servers, in threads; the hub speaks TLS where there is a certificate (with its key, in PEM)."""
    hub = LocalHub()
    servers = []
    for side in ("hub", "files"):
        handler = type(side, (Handler,), {"hub": hub, "side": side})
        server = Server(("127.0.0.1", 0), handler)
        if certificate and side == "hub":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
    hub.address = f"{'https' if certificate else 'http'}://127.0.0.1:{servers[0].server_port}"
    # 127.0.0.1 and localhost are two origins to a client, as the Hub and its file host are
    hub.files_address = f"http://localhost:{servers[1].server_port}"
    try:
        yield hub
    finally:
        hub.closing.set()
        hub.gate.set()
        for server in servers:
            server.shutdown()
            server.server_close()
