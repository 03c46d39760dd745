"""Numbers as a person reads them. One place, so that the table, the plots and the verdict agree."""

from handlens_export.report.rows import PairedDrop, Score

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
NONE = "\N{EM DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"
SPACE = "\N{NO-BREAK SPACE}"


def bytes_(count: float) -> str:
    """A size in decimal units, three significant digits: 412345 -> "412 KB"."""
    for unit, factor in (("B", 1.0), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        scaled = count / factor
        if scaled < 999.5 or unit == "GB":
            break
    return f"{digits(scaled) if unit != 'B' else int(scaled)}{SPACE}{unit}"


def count(value: int) -> str:
    """A count with a unit letter: 386412 -> "386 k"; exact below a thousand."""
    if value < 1000:
        return str(value)
    factor, letter = (1e3, "k") if value < 999_500 else (1e6, "M")
    return f"{digits(value / factor)}{SPACE}{letter}"


def digits(value: float) -> str:
    """Three significant digits without an exponent."""
    places = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{places}f}"


def milliseconds(value: float) -> str:
    """A time: 0.4123 -> "0.412 ms"."""
    return f"{figure_ms(value)}{SPACE}ms"


def figure_ms(value: float) -> str:
    """The same without the unit, for a column that names it."""
    return f"{value:.4f}" if value < 0.09995 else f"{value:.3f}" if value < 0.9995 else digits(value)


def tick_bytes(count: float) -> str:
    """A size on an axis, without needless zeros: 300000 -> "300 KB"."""
    number, unit = bytes_(count).split(SPACE)
    return f"{trim(number)}{SPACE}{unit}"


def tick_milliseconds(value: float) -> str:
    """A time on an axis, without needless zeros: 0.7 -> "0.7 ms"."""
    return f"{value:g}{SPACE}ms"


def tick_percent(fraction: float) -> str:
    """A fraction on an axis in hundredths: 0.725 -> "72.5", 0.7 -> "70"."""
    return trim(f"{fraction * 100:.2f}")


def tick_points(fraction: float) -> str:
    """A signed difference on an axis in hundredths: -0.01 -> "-1" with a minus sign."""
    text = trim(f"{abs(fraction) * 100:.2f}")
    return text if text == "0" else f"{MINUS if fraction < 0 else '+'}{text}"


def trim(number: str) -> str:
    """Drops zeros at the end of a decimal part."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def percent(fraction: float) -> str:
    """A fraction in hundredths, one decimal, without a sign: 0.8041 -> "80.4"."""
    return signless(f"{fraction * 100:.1f}")


def value_of(score: Score) -> str:
    """A metric: hundredths for a fraction, three significant digits otherwise."""
    return percent(score.value) if score.unit == "fraction" else digits(score.value)


def interval_of(score: Score) -> str:
    """Its 95% interval: "75.9-84.7" with an en dash."""
    if score.unit == "fraction":
        return f"{percent(score.low)}{DASH}{percent(score.high)}"
    return f"{digits(score.low)}{DASH}{digits(score.high)}"


def points(fraction: float) -> str:
    """A signed difference in hundredths: -0.0033 -> "-0.3" with a minus sign, and "0.0" without one."""
    text = f"{abs(fraction) * 100:.1f}"
    if float(text) == 0:
        return text
    return f"{MINUS if fraction < 0 else '+'}{text}"


def drop_of(drop: PairedDrop) -> tuple[str, str]:
    """The difference against float32 and its interval; the interval is empty where none was computed."""
    if drop.low is None or drop.high is None:
        return points(drop.value), ""
    return points(drop.value), f"{points(drop.low)} to {points(drop.high)}"


def ratio(value: float) -> str:
    """A factor with two digits: 0.274 -> "0.27x" with a multiplication sign."""
    return f"{value:.2f}{TIMES}" if value < 9.995 else f"{value:.0f}{TIMES}"


def share(value: float) -> str:
    """A share in whole hundredths: 0.274 -> "27%"."""
    return f"{value * 100:.0f}%" if value >= 0.0995 else f"{value * 100:.1f}%"


def signless(text: str) -> str:
    """Drops the sign of a zero, and writes others with a real minus."""
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)
