"""A segmentation drawn into a copy of its image: classes in colours, the outline, and a legend."""

import cv2
import numpy as np

from handlens._draw import INK, PAPER
from handlens.image import Pixels
from handlens.segment import Segmentation

# Okabe and Ito's colours, then Paul Tol's muted ones: colour-blind people tell them apart. Class 1 has the first.
COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
    (136, 34, 85),
    (153, 153, 51),
    (51, 34, 136),
    (187, 187, 187),
    (68, 170, 153),
)
_STRENGTH = 55  # percent


def draw_segmentation(image: Pixels, found: Segmentation) -> Pixels:
    """Draws classes (or the foreground) over an image, the mask's outline, and what the colours mean below it.

    Args:
        image: uint8 (H, W, 3), RGB.
        found: of that image.

    Returns:
        A copy with the drawing, higher (and where the words need it, wider) by the legend; an equal one where there is
        neither foreground nor class.
    """
    mask = found.mask()
    classes = mask.astype(np.uint8) if found.labels is None else found.labels
    paint = np.array([INK, *(COLOURS[index % len(COLOURS)] for index in range(255))], np.uint16)
    drawn = np.ascontiguousarray(image).copy()
    blend = image[mask].astype(np.uint16) * (100 - _STRENGTH) + paint[classes[mask]] * _STRENGTH
    drawn[mask] = (blend + 50) // 100
    thick = max(1, round(max(image.shape[:2]) / 500))
    edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, edges, -1, PAPER, thick)
    return _with_legend(drawn, _lines(found, classes), thick)


def _lines(found: Segmentation, classes: Pixels) -> list[tuple[tuple[int, int, int] | None, str]]:
    """Colour and text of each line of the legend."""
    shown = [int(index) for index in np.unique(classes) if index]
    areas = found.areas()
    lines: list[tuple[tuple[int, int, int] | None, str]] = [
        (COLOURS[(index - 1) % len(COLOURS)], f"{name} {share:.0%}")
        for index, (name, share) in zip(shown, areas.items(), strict=True)
    ]
    if found.class_name is not None:
        lines.append((None, f"{found.class_name} {found.confidence:.2f}"))
    return lines


def _with_legend(image: Pixels, lines: list[tuple[tuple[int, int, int] | None, str]], thick: int) -> Pixels:
    if not lines:
        return image
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.32 + 0.1 * thick
    sizes = [cv2.getTextSize(text, font, size, thick)[0] for _, text in lines]
    height = max(h for _, h in sizes)
    step = height + 4 + 2 * thick
    rows, columns = image.shape[:2]
    width = max(columns, max(w for w, _ in sizes) + height + 12)
    result = np.full((rows + step * len(lines) + 4, width, 3), INK, np.uint8)
    result[:rows, :columns] = image
    for row, (colour, text) in enumerate(lines):
        base = rows + row * step + height + 4
        if colour is not None:
            cv2.rectangle(result, (4, base - height), (4 + height, base), colour, -1)
        cv2.putText(result, text, (height + 8, base), font, size, PAPER, thick, cv2.LINE_AA)
    return result
