"""What stands before every route: the Host header, the Origin, the token, the headers of each answer, one log line."""

import asyncio
import ipaddress
import logging
import time
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlens.serve.auth import is_token
from handlens.serve.problems import Problem, answer

log = logging.getLogger("handlens.serve")

_HEADERS = {
    # Nothing but the page's own files: no inline script, no other host, no frame around it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """ASGI middleware around the whole application; refuses before a byte of the body is read.

    The Host header is checked against DNS rebinding: a page of another site whose name was made to point here still
    sends that name. The Origin is checked because a form of another site may be posted here without asking.

    Args:
        app: what it guards.
        token: that `/v1/` asks for; None for none.
        hosts: names that the Host header may have, without a port; None for any.
    """

    def __init__(self, app: ASGIApp, *, token: str | None = None, hosts: Collection[str] | None = None) -> None:
        """Remembers what to check."""
        self.app = app
        self.token = token
        self.hosts = None if hosts is None else frozenset(_plain(host) for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a refusal itself, else passes the request on."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return None
        started = time.perf_counter()
        exchange = _Exchange(scope, receive, send)
        try:
            problem = self._refusal(Headers(scope=scope), scope)
            if problem:
                await answer(problem)(scope, exchange.receive, exchange.send)
            else:
                await self.app(scope, exchange.receive, exchange.send)
        finally:
            # The route, not the path: a path may hold a person's name.
            static = "/static" if scope["path"].startswith("/static/") else "(no route)"
            route = getattr(scope.get("route"), "path", static)
            spent = 1000 * (time.perf_counter() - started)
            log.info("%s %s %d %.0f ms", scope["method"][:16], route, exchange.status, spent)

    def _refusal(self, headers: Headers, scope: Scope) -> Problem | None:
        host = headers.get("host", "")
        if self.hosts is not None and _plain(_name(host)) not in self.hosts:
            return Problem(
                421,
                "wrong-host",
                f"the Host header is {host[:100]!r}, which this server does not answer to",
                "Open the address that the server printed, or start it with --allow-host NAME.",
            )
        origin = headers.get("origin")
        if origin is not None and scope["method"] not in ("GET", "HEAD") and not _same(origin, host):
            return Problem(
                403, "cross-origin", "the request comes from a page of another origin", "Use the server's own page."
            )
        if self.token and scope["path"].startswith("/v1/") and not is_token(headers.get("authorization"), self.token):
            return Problem(
                401, "no-token", "the bearer token is missing or wrong", "Send the header Authorization: Bearer TOKEN."
            )
        return None


class _Exchange:
    """One request and its answer: dresses the answer, and ends the connection where the body was not read.

    Without that, the server would go on to read and drop a body that it has refused, however long. A part of it is
    dropped first, because a client that is still writing when the connection ends may never see the answer.
    """

    _DROP_BYTES, _DROP_SECONDS = 2**22, 1.0

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self.status = 0
        self._unread = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._receive, self._send = receive, send

    async def receive(self) -> Message:
        message = await self._receive()
        self._unread = self._unread and message["type"] == "http.request" and bool(message.get("more_body"))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            if self._unread:
                headers["Connection"] = "close"
        elif self._unread and not message.get("more_body"):
            await self._send({**message, "more_body": True})
            await self._drop()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _drop(self) -> None:
        dropped = 0
        try:
            async with asyncio.timeout(self._DROP_SECONDS):
                while self._unread and dropped < self._DROP_BYTES:
                    dropped += len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass


def _same(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _name(host: str) -> str:
    """The Host header without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _plain(host: str) -> str:
    host = host.lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return host
