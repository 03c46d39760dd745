"""`handlens calib`: calibration sets from training images."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Calibration sets: images of a training split with their provenance.", no_args_is_help=True)


@app.callback()
def calib() -> None:
    """Calibration sets: images of a training split with their provenance."""


@app.command()
def pick(
    out: Annotated[Path, typer.Option(help="The .npz file to write.")],
    data: Annotated[Path | None, typer.Option(help="Market-1501, either layout. Default: HANDLENS_DATA.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many images.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    size: Annotated[str, typer.Option(help="HEIGHTxWIDTH in pixels the images are stored at.")] = "128x64",
) -> None:
    """Draw images from the training split, identities in turn, and refuse any that a test split holds, too."""
    from handlens_data import calibration, where
    from handlens_data.datasets import market1501

    found = market1501.load(where.find(data))
    tested = [split for split in (found.val, found.probe, found.gallery) if split is not None]
    if found.train is None:
        from handlens.errors import DataError

        raise DataError(f"{found.root} has no training images (train/ or bounding_box_train/) to calibrate with.")
    picked = calibration.pick(found.train, count, seed, _size(size), market1501.NAME, market1501.LICENCE, tested)
    picked.save(out)
    typer.echo(f"{out}: {count} images of {picked.dataset}/{picked.split}, seed {seed}, sha256 {picked.sha256[:16]}")


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    if not (height.isdigit() and width.isdigit() and 0 < int(height) <= 4096 and 0 < int(width) <= 4096):
        from handlens.errors import OptionError

        raise OptionError(f"size {text!r} is not HEIGHTxWIDTH, such as 128x64, each 1 to 4096.")
    return int(height), int(width)
