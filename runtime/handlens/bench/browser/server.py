"""The HTTP server behind the browser target: the page, the engines and one visit. The standard library's alone.

What it answers to: a Host that is this machine's name for itself or the very address the connection came in on (so a
page of another site whose name was made to point here gets nothing), and for everything but the page's own files the
session that the one-time token was traded for. A message is refused by its length before it is read.
"""

import contextlib
import json
import re
import shutil
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from handlens import _codec
from handlens.bench.browser.arrays import Refusal
from handlens.bench.browser.visit import Visit
from handlens.errors import HandlensError, ManifestInvalid

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
_HEADERS = {
    # Nothing but this server's own files; WebAssembly may be compiled, text may not become code.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
        "style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # With Cross-Origin-Opener-Policy this isolates the page: only then may it share memory between threads.
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_PAGE = Path(__file__).parent / "web"
_CONNECTIONS = 64
_SILENCE_S = 30


class Server(ThreadingHTTPServer):
    """Serves one visit at a time, or none.

    Args:
        address: host and port to bind; port 0 for any free one.
        engines: folder of the engines' files.
        stamp: names the engines' versions in their address, so that a browser may keep them.

    Raises:
        OSError: the address cannot be bound.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], engines: Path, stamp: str) -> None:
        """Binds, and lists every file that will ever be served."""
        self.visit: Visit | None = None
        self.files = {f"/page/{file.name}": file for file in _PAGE.iterdir() if file.suffix in _TYPES}
        self.files["/"] = self.files.pop("/page/index.html")
        self.engines = f"/engines/{stamp}/"
        for file in engines.rglob("*"):
            if file.suffix in _TYPES:
                self.files[self.engines + file.relative_to(engines).as_posix()] = file
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        self._busy = threading.Condition()
        self._running = 0
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a connection, unless there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Is silent: a browser that goes away in the middle is no news, and whoever else calls gets no answer."""

    @contextlib.contextmanager
    def answering(self) -> Any:
        """Counts an answer that is under way."""
        with self._busy:
            self._running += 1
        try:
            yield
        finally:
            with self._busy:
                self._running -= 1
                self._busy.notify_all()

    def close(self) -> None:
        """Stops, after the answers that are under way (two seconds at most): the page shall hear of the end."""
        with self._busy:
            self._busy.wait_for(lambda: self._running == 0, timeout=2)
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "handlens"
    sys_version = ""
    timeout = _SILENCE_S

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        self._answer(self._get)

    def do_POST(self) -> None:  # noqa: N802
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the table is what the terminal is for."""

    def _answer(self, what: Callable[[str], None]) -> None:
        with self.server.answering():
            try:
                self._check_host()
                what(self.path.partition("?")[0])
            except Refusal as refusal:
                self._refuse(refusal.status, refusal.message)
            except ManifestInvalid as error:
                self._refuse(400, str(error))
            except HandlensError as error:  # of the order or a file: the one who asked shall read it as well
                visit = self.server.visit
                if visit is not None:
                    visit.events.put(error)
                self._refuse(500, str(error))

    def _check_host(self) -> None:
        # Any port: `adb reverse` may listen on another one than this server.
        names = {"localhost", "127.0.0.1", self.connection.getsockname()[0]}
        host = self.headers.get_all("Host", [])
        if len(host) != 1 or re.sub(r":\d{1,5}$", "", host[0].lower()) not in names:
            raise Refusal(421, "Open the address that handlens shows; this is another name for it.")

    def _get(self, path: str) -> None:
        file = self.server.files.get(path)
        if file is not None:
            return self._send_file(file, keep=path.startswith("/engines/"))
        visit = self._admitted(path)
        if path == "/api/plan":
            return self._send(200, visit.plan())
        found = re.fullmatch(r"/api/(model|golden|picture|table)/(\d{1,4})(?:/(\d{1,4}))?", path)
        if not found:
            raise Refusal(404, "There is nothing here.")
        index = None if found[3] is None else int(found[3])
        self._send_bytes(200, visit.data(found[1], int(found[2]), index), "application/octet-stream")

    def _post(self, path: str) -> None:
        what = path.removeprefix("/api/")
        visit = self._visit() if what == "claim" else self._admitted(path)
        calls: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "claim": visit.claim,
            "answers": visit.answers,
            "figure": visit.figure,
            "moment": visit.moment,
            "trouble": visit.trouble,
            "beat": visit.beat,
        }
        if what not in calls:
            raise Refusal(404, "There is nothing here.")
        # A form of another site can be posted here without asking, but not with this type, and not without its Origin.
        if self.headers.get("Origin") != f"http://{self.headers['Host']}":
            raise Refusal(403, "Only the page itself may send figures.")
        if self.headers.get("Content-Type", "").partition(";")[0].strip() != "application/json":
            raise Refusal(415, "Expected application/json.")
        self._send(200, calls[what](self._message(visit.limit(what))))

    def _message(self, limit: int) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not re.fullmatch(r"\d{1,12}", length):
            raise Refusal(411, "Expected a Content-Length.")
        if int(length) > limit:
            raise Refusal(413, f"The message has {length} bytes; at most {limit}.")
        try:
            text = self.rfile.read(int(length)).decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal(400, "The message is not UTF-8.") from None
        message = _codec.parse_json(text, "the message")
        if not isinstance(message, dict):
            raise Refusal(400, "The message is no object.")
        return message

    def _visit(self) -> Visit:
        if self.server.visit is None:
            raise Refusal(410, "handlens measures nothing now; run handlens bench again.")
        return self.server.visit

    def _admitted(self, path: str) -> Visit:
        if not path.startswith("/api/"):
            raise Refusal(404, "There is nothing here.")
        visit = self._visit()
        visit.admit(self.headers.get("Authorization", "").removeprefix("Bearer "))
        return visit

    def _refuse(self, status: int, message: str) -> None:
        # Whatever else came with the request was not read, so the connection is of no more use.
        self.close_connection = True
        with contextlib.suppress(OSError):
            self._send(status, {"message": message})

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        self._send_bytes(status, json.dumps(answer).encode(), "application/json")

    def _send_bytes(self, status: int, data: bytes, kind: str) -> None:
        self._start(status, kind, len(data), "no-store")
        self.wfile.write(data)

    def _send_file(self, file: Path, keep: bool) -> None:
        with file.open("rb") as stream:
            size = file.stat().st_size
            self._start(200, _TYPES[file.suffix], size, "max-age=86400, immutable" if keep else "no-store")
            shutil.copyfileobj(stream, self.wfile, 2**18)

    def _start(self, status: int, kind: str, length: int, cache: str) -> None:
        self.send_response(status)
        own = {"Content-Type": kind, "Content-Length": str(length), "Cache-Control": cache}
        for name, value in (_HEADERS | own).items():
            self.send_header(name, value)
        if self.connection.getsockname()[0].startswith("127."):
            # Over plain HTTP from a network a browser ignores this one, and complains.
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


def own_address() -> str | None:
    """This machine's address on the network that its default route leads to; None without one. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of RFC 5737: nobody's
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address
