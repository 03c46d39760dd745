"""Faces drawn into a copy of their image: boxes, points, gender."""

from collections.abc import Sequence

import cv2
import numpy as np

from handlens._faces import Face
from handlens.image import Pixels

# Okabe and Ito's colours, which colour-blind people tell apart.
COLOURS = {"female": (230, 159, 0), "male": (86, 180, 233), None: (0, 158, 115)}
POINT, INK, PAPER = (240, 228, 66), (0, 0, 0), (255, 255, 255)


def draw_faces(image: Pixels, faces: Sequence[Face]) -> Pixels:
    """Draws each face's box with its score, its points, and its gender in words.

    Args:
        image: uint8 (H, W, 3), RGB.
        faces: in pixels of the image.

    Returns:
        A copy with the drawing.
    """
    drawn = np.ascontiguousarray(image).copy()
    thick = max(1, round(max(image.shape[:2]) / 500))
    for face in reversed(faces):  # the best on top
        colour = COLOURS[face.gender.label if face.gender else None]
        x1, y1, x2, y2 = (round(value) for value in face.box)
        cv2.rectangle(drawn, (x1, y1), (x2, y2), INK, thick + 2, cv2.LINE_AA)
        cv2.rectangle(drawn, (x1, y1), (x2, y2), colour, thick, cv2.LINE_AA)
        for x, y in face.points or ():
            cv2.circle(drawn, (round(x), round(y)), thick + 2, INK, -1, cv2.LINE_AA)
            cv2.circle(drawn, (round(x), round(y)), thick + 1, POINT, -1, cv2.LINE_AA)
        _label(drawn, caption(face), x1, y1, y2, thick)
    return drawn


def caption(face: Face) -> str:
    """What is written beside a face, such as "0.98 female 0.91"."""
    gender = f" {face.gender.label} {face.gender.confidence:.2f}" if face.gender else ""
    return f"{face.score:.2f}{gender}"


def _label(image: Pixels, text: str, x: int, top: int, bottom: int, thick: int) -> None:
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.32 + 0.1 * thick
    (width, height), base = cv2.getTextSize(text, font, size, thick)
    x = max(0, min(x, image.shape[1] - width - 4))
    # Above the box; below it where there is no room.
    y = top - height - base - 2 if top - height - base - 2 >= 0 else min(bottom + 2, image.shape[0] - height - base)
    cv2.rectangle(image, (x, y), (x + width + 4, y + height + base + 2), INK, -1)
    cv2.putText(image, text, (x + 2, y + height + 1), font, size, PAPER, thick, cv2.LINE_AA)
