"""The budget of a sweep: "rank1-1.0" allows 1.0 points of rank-1 less than float32 has."""

import re
from dataclasses import dataclass

from handlens.errors import OptionError

_FORM = re.compile(r"(?P<metric>[A-Za-z_]\w*)-(?P<points>\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Budget:
    """A metric, and the points (hundredths) of it that an artifact may lose against float32."""

    metric: str
    points: float

    @classmethod
    def parse(cls, text: str, valid: str) -> "Budget":
        """Reads METRIC-POINTS.

        Args:
            text: as the user gave it.
            valid: the metric that the task's artifacts are compared by.

        Raises:
            OptionError: it is none, or of another metric.
        """
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise OptionError(f"--budget is {text!r}; valid: METRIC-POINTS such as {valid}-1.0, points of 100")
        if found["metric"] != valid:
            raise OptionError(
                f"--budget names the metric {found['metric']!r}; valid: {valid}, which this task's artifacts are "
                f"compared by item by item. Give --budget {valid}-{found['points']}"
            )
        points = float(found["points"])
        if points > 100:
            raise OptionError(f"--budget allows {points:g} points; valid: 0 to 100")
        return cls(valid, points)
