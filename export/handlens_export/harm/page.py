"""The sensitivity page: what int8 does to each layer, and what repairs it. One file, nothing fetched."""

from handlens_export.harm import profile, table
from handlens_export.harm.evidence import Sensitivity
from handlens_export.harm.study import Tried
from handlens_export.report import document, words
from handlens_export.report.forest import Change, forest
from handlens_export.report.markup import Markup, el
from handlens_export.report.page import task_label
from handlens_export.report.rows import PairedDrop, metric_label

_TERMS = (
    (
        "output error",
        "How far the outputs move when this layer alone is int8 (its weights, and what it gives), as a share of their "
        "spread over images: 0 is not at all, 1 as far as another image's. It costs no evaluation.",
    ),
    (
        "metric lost alone",
        "What the task's metric loses when this layer alone is int8, in points (hundredths), in a real file on its "
        "engine. The interval is that of the paired difference; one that spans 0 is noise.",
    ),
    (
        "int8 range",
        "The lowest and highest value that int8 can tell apart behind this layer, from calibration. Beyond, values are "
        "clipped.",
    ),
    (
        "steps used",
        "How many of the 256 steps of that range hold the middle 99% of the values. Few steps for most values, because "
        "of rare large ones, is the usual reason why a layer does harm.",
    ),
    (
        "float",
        "Left in float32 by the repair: the most harmful layers first, as few as hold the budget; then each is taken "
        "back if the budget holds without it.",
    ),
)


def page(found: Sensitivity, made: str) -> str:
    """The whole HTML document, well-formed as XML too; `made` says when and by what."""
    body = [
        _header(found),
        _cards(found),
        el("div", profile.figure(found), _forest(found), class_="figures"),
        el("section", el("h2", "Every layer, in order of execution"), table.table(found), class_="layers"),
        el(
            "section",
            el("h2", "Terms"),
            el("dl", (el("div", el("dt", term), el("dd", meaning)) for term, meaning in _TERMS), class_="terms"),
            class_="legend",
        ),
        el("footer", made),
    ]
    styles = document.inline("report", "style.css"), document.inline("harm", "style.css")
    head = document.head(f"{found.name}: handlens sensitivity", *styles)
    script = el("script", document.inline("report", "script.js"))
    html = el("html", head, el("body", el("main", body), el("div", id="tip", role="status"), script), lang="en")
    return "<!DOCTYPE html>\n" + html + "\n"


def sentence(found: Sensitivity) -> str:
    """The page in one sentence."""
    metric, total = metric_label(found.primary), len(found.layers)
    first = f"{found.name}-{found.recipe} {lost(found.whole)} of {metric}"
    if found.whole.drop is None:
        first = f"{found.name}-{found.recipe} is no artifact: {found.whole.refused}"
    if found.repaired is None:
        return f"{first}; {found.max_drop:g} may be lost."
    if not found.repaired.holds(found.max_drop):
        return f"{first}. With all {total} layers in float it {lost(found.repaired)}: it is not int8 that does it."
    return f"{first}. With {len(found.given_back)} of {total} layers in float it {lost(found.repaired)}."


def lost(tried: Tried) -> str:
    """What a file does to the metric, as a verb."""
    if tried.drop is None:
        return "is refused"
    points = tried.drop.value
    return f"{'loses' if points >= 0 else 'gains'} {abs(points):.1f} points"


def _header(found: Sensitivity) -> Markup:
    facts = [
        ("task", task_label(found.task)),
        ("measured on", f"{found.dataset} {found.split}, {found.n:,} items"),
        ("protocol", found.protocol),
        ("output error on", f"{found.images} calibration images"),
        ("file", f"{found.recipe}, {found.kind}"),
    ]
    button = el(
        "button", "light / dark", type="button", id="theme", title="switch between the light and the dark scheme"
    )
    bar = el(
        "div",
        el("span", "handlens", class_="brand"),
        el("span", f"sensitivity of {found.name}", class_="title"),
        button,
        class_="bar",
    )
    listed = el("dl", ([el("dt", label), el("dd", value)] for label, value in facts if value))
    host = el("aside", el("h2", "What was measured"), listed, class_="host")
    about = (
        "What int8 does to each layer: to the outputs when that layer alone is int8, and for the worst, to the metric."
    )
    left = el("div", el("h1", sentence(found)), el("p", about, class_="about"), class_="say")
    return el("header", bar, el("div", left, host, class_="lead"))


def _cards(found: Sensitivity) -> Markup:
    fraction = found.unit == "fraction"
    write = words.percent if fraction else words.digits
    value = write(found.reference.value) + (" %" if fraction else f" {found.unit}")
    span = f"{write(found.reference.low)}{words.DASH}{write(found.reference.high)}"
    cards = [
        _card(
            "float32", value, [f"{metric_label(found.primary)}, 95% interval {span}", words.bytes_(found.float_bytes)]
        ),
        _tried_card("everything in int8", found.whole, found),
    ]
    if found.repaired is not None:
        cards.append(
            _tried_card(f"{len(found.given_back)} of {len(found.layers)} layers in float", found.repaired, found)
        )
    return el("div", cards, class_="cards")


def _tried_card(title: str, tried: Tried, found: Sensitivity) -> Markup:
    share = f"{words.bytes_(tried.bytes)}, {words.share(tried.bytes / found.float_bytes)} of float32"
    if tried.drop is None:
        return _card(title, "refused", [tried.refused, share], bad=True)
    drop = tried.drop
    value = f"{words.points(-drop.value / 100)} points"
    span = f"95% interval {words.points(-drop.high / 100)} to {words.points(-drop.low / 100)}, paired with float32"
    return _card(title, value, [span, share], bad=not tried.holds(found.max_drop))


def _card(title: str, value: str, notes: list[str], *, bad: bool = False) -> Markup:
    return el(
        "div",
        el("h3", title),
        el("p", value, class_="figure-value over" if bad else "figure-value"),
        [el("p", note, class_="note") for note in notes],
        class_="card",
    )


def _forest(found: Sensitivity) -> Markup | None:
    measured = [layer for layer in found.layers if layer.alone is not None and layer.alone.drop is not None]
    if not measured:
        return None
    measured.sort(key=lambda layer: -layer.error)
    changes = []
    for layer in measured:
        assert layer.alone is not None and layer.alone.drop is not None
        drop = layer.alone.drop
        paired = PairedDrop(
            found.dataset, found.split, found.primary, -drop.value / 100, -drop.high / 100, -drop.low / 100
        )
        name = layer.unit.name
        changes.append(Change(table.short(name), paired, name, 0, square=False, solid=not layer.back))
    svg = forest(changes, max_drop=found.max_drop, metric=metric_label(found.primary))
    caption = f"The {len(changes)} layers with the largest output error, each alone in int8."
    if any(layer.back for layer in measured):
        caption += " Hollow: left in float by the repair."
    return el(
        "figure", el("h3", "What each of the worst layers costs the metric alone"), svg, el("figcaption", caption)
    )
