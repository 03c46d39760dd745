"""How strongly views of faces are changed for distillation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ViewChange:
    """Strengths. rotate: degrees; scale and shift: shares of the size; colour: relative; the rest are probabilities."""

    flip: float = 0.5
    rotate: float = 10.0
    scale: float = 0.1
    shift: float = 0.04
    colour: float = 0.3
    blur: float = 0.25
    erase: float = 0.15
    blend: float = 0.35
