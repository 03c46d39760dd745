"""`handlens serve`: the HTTP API, and a page with a camera."""

import contextlib
import logging
from pathlib import Path
from typing import Annotated

import typer

from handlens._defaults import model_for
from handlens.engine import ENGINES

Detector = Annotated[Path | None, typer.Option(help="A face-detector artifact; left out: the zoo's.")]
Verifier = Annotated[Path | None, typer.Option(help="A face-verifier artifact; left out: the zoo's.")]
DetectOnly = Annotated[bool, typer.Option("--detect-only", help="Serve no door: no verifier, and nothing is stored.")]
Store = Annotated[Path | None, typer.Option(help="Folder of the templates; left out: the user's own.")]
KeyFile = Annotated[Path | None, typer.Option(help="The key, when it is not in the keyring; left out: in the store.")]
Fmr = Annotated[float | None, typer.Option(help="False match rate to verify at; one that the verifier carries.")]
Fpir = Annotated[float | None, typer.Option(help="False positive identification rate to identify at.")]
Host = Annotated[str, typer.Option(help="Address to listen on; any but loopback needs a token.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")]
TokenFile = Annotated[Path | None, typer.Option(help="The bearer token; left out: made and shown where one is needed.")]
AllowHost = Annotated[list[str] | None, typer.Option(help="A further name that the server is called by.")]
Certificate = Annotated[Path | None, typer.Option(help="PEM certificate, for https.")]
Key = Annotated[Path | None, typer.Option(help="PEM private key, for https.")]
MaxUpload = Annotated[int, typer.Option(min=1, max=256, help="MiB of one request.")]
MaxPixels = Annotated[int, typer.Option(min=1, max=100_000_000, help="Pixels of one picture, by its header.")]
Engine = Annotated[str | None, typer.Option(help=f"One of {', '.join(ENGINES)}; left out: each file's default.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads for the engines to use.")]
Log = Annotated[bool, typer.Option("--log", help="A line a request on stderr: method, route, status, time.")]


def serve(
    detector: Detector = None,
    verifier: Verifier = None,
    detect_only: DetectOnly = False,
    store: Store = None,
    key_file: KeyFile = None,
    fmr: Fmr = None,
    fpir: Fpir = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token_file: TokenFile = None,
    allow_host: AllowHost = None,
    tls_certificate: Certificate = None,
    tls_key: Key = None,
    max_upload: MaxUpload = 16,
    max_pixels: MaxPixels = 25_000_000,
    engine: Engine = None,
    threads: Threads = 1,
    log: Log = False,
) -> None:
    """Serve detection and the door over HTTP, with a page at /. No liveness detection: a photograph passes."""
    from handlens.access import DoorOptions
    from handlens.serve import auth, run
    from handlens.serve.app import make_app
    from handlens.serve.limits import Limits
    from handlens.serve.models import open_models

    address = run.Address(host=host, port=port, certificate=tls_certificate, key=tls_key)
    limits = Limits(upload_bytes=max_upload * 2**20, pixels=max_pixels)
    token = auth.read_token(token_file) if token_file else None
    usual = DoorOptions()
    options = DoorOptions(fmr=usual.fmr if fmr is None else fmr, fpir=usual.fpir if fpir is None else fpir)
    finder = model_for("face-detector", detector, "--detector")
    teller = None if detect_only else model_for("face-verifier", verifier, "--verifier")
    opening = open_models(
        finder,
        teller,
        limits,
        store=store,
        key_file=key_file,
        options=options,
        engine=engine,
        threads=threads,
    )
    with opening as (service, notices), contextlib.ExitStack() as stack:
        bound = stack.enter_context(run.bind(address))
        if token is None and not address.loopback:
            token = auth.new_token()
            typer.echo(f"token (shown this once): {token}")
        if not address.loopback and not tls_certificate:
            notices = (*notices, "plain http: others on the network can read token and pictures; use --tls-certificate")
        for notice in notices:
            typer.echo(f"note: {notice}", err=True)
        if log:
            _log_to_stderr()
        app = make_app(service, limits, token=token, hosts=run.hosts(address, allow_host or ()))
        typer.echo(f"serving {run.url(address, bound)} · no liveness detection: a photograph passes · Ctrl-C ends it")
        run.run(app, address, bound)


def _log_to_stderr() -> None:
    logger = logging.getLogger("handlens.serve")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
