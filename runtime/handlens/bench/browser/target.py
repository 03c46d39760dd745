"""The browser target: serves a page that runs the artifacts with LiteRT.js or ONNX Runtime Web, and takes its figures.

The address carries a token that works once, behind the "#": a browser sends that part to nobody, so it stands in no log
and a messenger's preview cannot spend it.
"""

import importlib
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from handlens.artifact import Artifact
from handlens.bench.browser.jobs import Served, engine_for
from handlens.bench.browser.server import Server, own_address
from handlens.bench.browser.visit import Visit
from handlens.bench.figures import Figure, Order
from handlens.bench.machine import Host
from handlens.bench.target import Options, Progress
from handlens.errors import DeviceLost, DeviceNotFound, HandlensError, MissingExtra, OptionError

ENGINES = "handlens_browser"
"""Looked up by name when it is asked for: the runtime imports nobody."""

OPEN_WITHIN_S = 900.0
SILENCE_S = 90.0
STILL_S = 900.0
LEAVING_S = 15.0


class BrowserTarget:
    """A browser, here or on a phone; see `handlens.bench.target.Target`.

    Args:
        share: serve to the network, not to this machine alone.
        port: 0 for any free one.
        announce: told the address to open, with its token.
    """

    name = "browser"
    host: Host | None = None

    def __init__(self, share: bool = False, port: int = 0, announce: Callable[[str], None] | None = None) -> None:
        """Keeps what it was told."""
        self._share, self._port = share, port
        self._announce = announce or self._print
        self._server: Server | None = None
        self._versions: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Finds the engines and binds the port.

        Raises:
            MissingExtra: handlens-browser is not installed, or a checkout's engines were never fetched.
            OptionError: the port is taken, or there is no network to share with.
        """
        try:
            engines = importlib.import_module(ENGINES)
            folder, self._versions = engines.folder(), engines.versions()
        except ModuleNotFoundError:
            raise MissingExtra("handlens-browser", "browser") from None
        except LookupError as error:
            missing = MissingExtra("handlens-browser", "browser")
            missing.args = (f"{ENGINES}: {error}",)
            raise missing from None
        address = own_address() if self._share else "127.0.0.1"
        if address is None:
            raise OptionError("--share: this machine has no address on a network; a phone on USB needs none")
        stamp = "-".join(version for _, version in sorted(self._versions.items()))
        try:
            self._server = Server(("0.0.0.0" if self._share else address, self._port), folder, stamp)
        except (OSError, OverflowError) as error:
            message = f"--port {self._port} cannot be had: {error}; take another, or 0 for any free one"
            raise OptionError(message) from None
        self._where = f"http://{address}:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops serving."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def measure(self, order: Order, progress: Progress) -> Iterator[Figure]:
        """Shows the address, waits for a browser, and gives its figures as they come.

        On Ctrl-C in the sustained mode the figure with the moments so far comes first, then the `KeyboardInterrupt`.

        Raises:
            ArtifactError: a file is refused.
            OptionError: the engine does not read a file.
            EngineError: the browser cannot run a model, or answers its goldens wrongly.
            DeviceNotFound: no browser came within a quarter of an hour.
            DeviceLost: the page was closed, or said nothing for 90 s.
        """
        assert self._server is not None, "enter the target first"
        served = [Served(Artifact.open(file)) for file in order.files]
        for each in served:
            engine_for(each.artifact.kind, order.engine)
        visit = Visit(order, served, self._versions, self._server.engines)
        self._server.visit = visit
        try:
            self._announce(f"{self._where}#{visit.token}")
            progress("waiting for a browser to open the address")
            yield from _figures(visit, progress)
        except KeyboardInterrupt:
            yield from visit.unfinished()
            raise
        finally:
            # The page's last question is answered before the next visit, or the end.
            self._server.visit = None

    def _print(self, address: str) -> None:
        port = address.split(":")[2].split("/")[0]
        lines = ["open this in a browser; it works once:", f"  {address}", *_qr_code(address)]
        if not self._share:
            lines.append(f"a phone on USB opens the same address, after: adb reverse tcp:{port} tcp:{port}")
        print("\n".join(lines), file=sys.stderr, flush=True)


def open_target(where: str | None, options: Options) -> BrowserTarget:
    """Makes the target."""
    return BrowserTarget(options.share, options.port)


def _figures(visit: Visit, progress: Progress) -> Iterator[Figure]:
    start = time.monotonic()
    while True:
        try:
            event = visit.events.get(timeout=0.5)
        except queue.Empty:
            _check_alive(visit, start)
            continue
        if event is None:
            return
        if isinstance(event, Figure):
            yield event
        elif isinstance(event, HandlensError):
            raise event
        else:
            progress(event)


def _check_alive(visit: Visit, start: float) -> None:
    silent = time.monotonic() - visit.heard
    if not visit.claimed:
        if time.monotonic() - start > OPEN_WITHIN_S:
            raise DeviceNotFound(f"no browser opened the address within {OPEN_WITHIN_S / 60:.0f} minutes; run it again")
    elif visit.leaving and silent > LEAVING_S:
        raise DeviceLost("the page was closed before it was done; run it again, and keep it open")
    elif silent > SILENCE_S:
        raise DeviceLost(
            f"the browser said nothing for {SILENCE_S:.0f} s; run it again, with the page in front and the screen on"
        )
    elif time.monotonic() - visit.moved > STILL_S:
        raise DeviceLost(
            f"the page lives, but its work stood still for {STILL_S / 60:.0f} minutes (out of memory?); "
            "run it again with fewer threads, or one file at a time"
        )


def _qr_code(address: str) -> list[str]:
    """Lines that draw a QR code in a terminal; a hint where the package for it is missing."""
    try:
        import segno
    except ImportError:
        return ["(for a QR code: pip install 'handlens[browser]')"]
    import io

    drawn = io.StringIO()
    segno.make(address, micro=False).terminal(drawn, compact=True)
    return drawn.getvalue().splitlines()
