"""Crops of people, and a cat, from free photographs that two packages ship: something to try artifacts on without data.

`astronaut` is Eileen Collins (NASA, public domain; scikit-image), `admiral` Grace Hopper (US Navy, public domain;
matplotlib). Both are in colour, which a re-ID model needs. Each person is
shown in three views: a crop, and two that a second camera might have made of it (moved, mirrored, darker; nearer,
paler, a little blurred). Views of one photograph are far easier to match than two cameras are: they show that a model
runs and how its scores spread, not how good it is.

The cat is Chelsea (Stefan van der Walt, CC0; scikit-image).

`python -m handlens_data.samples DIR` writes the people as PNG files; with `pets` behind it, the cat.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlens.errors import HandlensError, InputError, MissingExtra
from handlens.files import write_bytes
from handlens.image import load_image

PEOPLE = ("astronaut", "admiral")
VIEWS = ("a", "b", "c")


@dataclass(frozen=True, slots=True)
class _View:
    """How a view is made: the crop moved and grown, in fractions of its size; mirrored; pixels * gain + lift; blur."""

    dx: float = 0.0
    dy: float = 0.0
    grow: float = 1.0
    mirror: bool = False
    gain: float = 1.0
    lift: float = 0.0
    blur: float = 0.0


_VIEWS = {
    "a": _View(),
    "b": _View(dx=0.06, dy=-0.02, grow=0.95, mirror=True, gain=0.7),
    "c": _View(dx=-0.05, dy=0.03, grow=0.88, gain=0.9, lift=20.0, blur=1.2),
}
# Person boxes in pixels of the photographs, (x1, y1, x2, y2).
_BOXES = {"astronaut": (85, 10, 325, 490), "admiral": (130, 40, 400, 580)}


def people() -> dict[str, np.ndarray]:
    """Each view by name, such as "astronaut-a": RGB uint8 (H, W, 3), about twice as high as wide.

    Raises:
        MissingExtra: scikit-image or matplotlib is not installed.
    """
    try:
        import matplotlib
        from skimage import data
    except ImportError as error:
        raise MissingExtra(error.name or "scikit-image", "train") from error
    admiral = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    photographs = {"astronaut": data.astronaut(), "admiral": load_image(admiral)}
    return {
        f"{person}-{view}": _render(photographs[person], _BOXES[person], _VIEWS[view])
        for person in PEOPLE
        for view in VIEWS
    }


def pets() -> dict[str, np.ndarray]:
    """Pictures of pets by name: RGB uint8 (H, W, 3).

    Raises:
        MissingExtra: scikit-image is not installed.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise MissingExtra("scikit-image", "train") from error
    return {"cat": data.chelsea()}


SETS = {"people": people, "pets": pets}


def _render(photograph: np.ndarray, box: tuple[int, int, int, int], view: _View) -> np.ndarray:
    import cv2

    x1, y1, x2, y2 = box
    width, height = (x2 - x1) * view.grow, (y2 - y1) * view.grow
    middle_x = (x1 + x2) / 2 + view.dx * (x2 - x1)
    middle_y = (y1 + y2) / 2 + view.dy * (y2 - y1)
    left, top = max(0, round(middle_x - width / 2)), max(0, round(middle_y - height / 2))
    crop = photograph[top : round(middle_y + height / 2), left : round(middle_x + width / 2)]
    if view.mirror:
        crop = crop[:, ::-1]
    crop = np.ascontiguousarray(crop)
    if view.blur:
        crop = cv2.GaussianBlur(crop, (0, 0), view.blur)
    return np.clip(crop * view.gain + view.lift + 0.5, 0, 255).astype(np.uint8)


def write(folder: Path, subject: str = "people") -> list[Path]:
    """Writes each picture of a subject, "people" or "pets", to `folder` as NAME.png; returns the files, sorted.

    Raises:
        InputError: `folder` is a file, or there is no such subject.
        MissingExtra: scikit-image or matplotlib is not installed.
    """
    import cv2

    if subject not in SETS:
        raise InputError(f"there are no pictures of {subject!r}; valid: {', '.join(SETS)}.")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder, which is made when missing.")
    files = []
    for name, image in SETS[subject]().items():
        done, png = cv2.imencode(".png", image[..., ::-1])
        if not done:
            raise InputError(f"this build of OpenCV cannot write PNG, so {name} was not written.")
        files.append(folder / f"{name}.png")
        write_bytes(files[-1], png.tobytes())
    return sorted(files)


def main(arguments: list[str]) -> int:
    """The command; returns its exit status."""
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        print("usage: python -m handlens_data.samples DIR [people|pets]", file=sys.stderr)
        return 2
    try:
        files = write(Path(arguments[0]), *arguments[1:])
    except HandlensError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"wrote {', '.join(file.name for file in files)} to {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
