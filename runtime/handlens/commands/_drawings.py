"""Where commands write pictures: a file for one image, a folder for several, never over an image that was given."""

from collections.abc import Sequence
from pathlib import Path

from handlens import files
from handlens.commands._faces import SUFFIXES
from handlens.errors import OptionError
from handlens.image import Pixels


def targets(
    images: Sequence[Path], out: Path | None, option: str, suffixes: Sequence[str] = SUFFIXES
) -> dict[Path, Path]:
    """Image to the file that its picture goes to; empty where `out` is None.

    Args:
        images: that the user named.
        out: what the option named: a file, or for several images a folder.
        option: for messages, such as "--draw".
        suffixes: that a name may end in; one alone replaces the image's in a folder.

    Raises:
        OptionError: a name ends otherwise, is an image's own, or belongs to two images.
    """
    if out is None:
        return {}
    folder = len(images) > 1 or out.is_dir()
    found: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    for image in images:
        name = image.name if len(suffixes) > 1 else f"{image.stem}{suffixes[0]}"
        target = out / name if folder else out
        if target.suffix.lower() not in suffixes:
            raise OptionError(f"{option} would write {target}; expected a name that ends in {', '.join(suffixes)}")
        if target.resolve() in {other.resolve() for other in images}:
            raise OptionError(f"{option} would overwrite the image {target}; choose another place")
        if target in taken and taken[target] != image:
            raise OptionError(
                f"{option} would write {taken[target]} and {image} to one file, {target}; draw them apart"
            )
        found[image] = target
        taken[target] = image
    return found


def save(target: Path, pixels: Pixels) -> None:
    """Writes RGB (H, W, 3) or RGBA (H, W, 4) in the format that the name ends in."""
    import cv2

    order = [2, 1, 0, 3][: pixels.shape[2]]
    files.write_bytes(target, cv2.imencode(target.suffix.lower(), pixels[:, :, order])[1].tobytes())
