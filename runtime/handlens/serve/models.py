"""Opens what a server runs on: the detector, and the door where there is a verifier."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from handlens.access import Door, DoorOptions
from handlens.face import FaceDetector, FaceVerifier
from handlens.serve.limits import Limits
from handlens.serve.service import Service
from handlens.store import Store


@contextlib.contextmanager
def open_models(
    detector: Path,
    verifier: Path | None,
    limits: Limits,
    *,
    store: Path | None = None,
    key_file: Path | None = None,
    options: DoorOptions | None = None,
    engine: str | None = None,
    threads: int = 1,
) -> Iterator[tuple[Service, tuple[str, ...]]]:
    """Opens the models; closes them at the end.

    Args:
        detector: a face-detector artifact.
        verifier: a face-verifier artifact; None for no door.
        limits: of the server.
        store: folder of the templates; None for the user's own.
        key_file: the store's key, when it is not in the keyring; None for a file in the store.
        options: of the door; None for its defaults.
        engine: for both; None for each file's default.
        threads: for each engine.

    Yields:
        The service, and what the operator should be told.

    Raises:
        HandlensError: an artifact, an engine, an option or the store cannot be used.
    """
    with contextlib.ExitStack() as stack:
        finder = stack.enter_context(FaceDetector.load(detector, engine=engine, threads=threads))
        if verifier is None:
            yield Service(finder, None, (finder,), limits), ()
            return
        teller = stack.enter_context(FaceVerifier.load(verifier, engine=engine, threads=threads))
        options = options or DoorOptions()
        teller.threshold(options.fmr)  # before a store is made
        kept = Store.open(store, key_file=key_file)
        door = Door(finder, teller, kept, options)
        yield Service(finder, door, (finder, teller), limits), kept.notices
