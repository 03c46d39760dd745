"""Runs an application on an address: the socket, the signals, the end."""

import logging
import signal
import socket
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from handlens.errors import OptionError
from handlens.serve.auth import is_loopback
from handlens.serve.guard import Guard

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen.

    Attributes:
        host: address or name to bind.
        port: 0 for any free one.
        certificate: PEM file for TLS, with `key`; None for plain HTTP.
        key: PEM file of the certificate's private key.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            OptionError: a certificate without a key, or a key without a certificate.
        """
        if (self.certificate is None) != (self.key is None):
            raise OptionError("TLS needs both --tls-certificate FILE and --tls-key FILE; give both or none")

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)


def hosts(address: Address, allowed: Iterable[str]) -> frozenset[str] | None:
    """Names that the Host header may have.

    On loopback those of loopback, against DNS rebinding. Elsewhere the token protects, and only `allowed`, where
    there are any, narrow it further; None for any name.
    """
    named = frozenset(allowed)
    if address.loopback:
        return named | {*_LOOPBACK, address.host}
    return named | {*_LOOPBACK} if named else None


def bind(address: Address) -> socket.socket:
    """Binds and listens.

    Raises:
        OptionError: the address is taken, not this machine's, or no address.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=64)
    except (OSError, OverflowError) as error:
        raise OptionError(
            f"cannot listen on {address.host} port {address.port}: {error}; choose others with --host and --port "
            "(0 is any free port)"
        ) from None


def url(address: Address, bound: socket.socket) -> str:
    """The address as a browser takes it."""
    host = "localhost" if address.host in _LOOPBACK else address.host
    scheme = "https" if address.certificate else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{bound.getsockname()[1]}/"


def run(
    app: Guard, address: Address, bound: socket.socket, *, on_start: Callable[[uvicorn.Server], None] | None = None
) -> None:
    """Serves until SIGINT or SIGTERM; then answers what is under way and returns.

    Args:
        app: the application; without a token it is served on loopback only.
        address: for its TLS files.
        bound: a listening socket; closed at the end.
        on_start: gets the server before it runs, so that another thread can end it (`should_exit`).

    Raises:
        OptionError: the address is not loopback and the application asks for no token.
    """
    if not address.loopback and not app.token:
        bound.close()
        raise OptionError(f"{address.host} is reachable by others, and no token is set; give --token-file FILE")
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,  # it writes paths, and a path may hold a name; the guard logs routes
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        timeout_keep_alive=5,
        timeout_graceful_shutdown=10,
        limit_concurrency=128,
        backlog=64,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
    )
    server = uvicorn.Server(config)
    if on_start:
        on_start(server)
    with _quiet_end(), bound:
        server.run(sockets=[bound])


class _quiet_end:
    """Uvicorn raises the signal that ended it once more, for whoever ran before it: here nobody needs it."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __enter__(self) -> None:
        self._before: dict[int, object] = {}
        try:
            for number in self._SIGNALS:
                self._before[number] = signal.signal(number, lambda *_: None)
        except ValueError:  # not the main thread, where no signal arrives either
            pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
