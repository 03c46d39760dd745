"""Writes a model card for every artifact of the zoo, and the figures table of the README, from the manifests.

`python scripts/write_cards.py` writes them, `--check` only says whether they are up to date (exit status 1 when not).
Every figure comes from an artifact's own manifest: measure first, with `handlens evaluate FILE --data DIR --record`.
"""

import gzip
import json
import sys
from functools import cache
from pathlib import Path

from card_texts import TEXTS

import handlens_zoo
from handlens import Artifact
from handlens.manifest import Manifest, Metric

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- figures: begin (scripts/write_cards.py) -->", "<!-- figures: end -->"
# By task: what stands above the table, column to (data set, metric), and rows from elsewhere.
TABLES: dict[str, tuple[str, dict[str, tuple[str, str]], tuple[str, ...]]] = {
    "face-detector": (
        "**Face detection**: average precision at IoU 0.5 of faces of 20 pixels and more; recall on LFW, false "
        "positives an image on\npictures of pets, and the gender guessed in the same pass, at the operating score.",
        {
            "AP, faces_multi": ("faces_multi", "ap50"),
            "AP, faces_one": ("faces_one", "ap50"),
            "recall, LFW": ("lfw", "recall"),
            "false positives, pets": ("pets", "false_positives"),
            "gender, composed scenes": ("utkface-scenes", "accuracy"),
        },
        ("| YuNet-n, float32 (Wu et al. 2023), measured likewise | 317,434 | 0.826 (0.773 to 0.877) | 1.000 | | | |",),
    ),
    "gender": (
        "**Gender** of a crop, UTKFace; by age and by the data set's race label in [the card]"
        "(zoo/handlens_zoo/cards/gender.md) and [the page](docs/gender.md).",
        {"accuracy": ("utkface", "accuracy")},
        (),
    ),
    "attributes": (
        "**Person attributes**, PETA: means over six heads (gender, torso and leg type and colour, luggage), and "
        "across data sets on\nMarket-1501; each head in [the card](zoo/handlens_zoo/cards/attributes.md) and "
        "[the page](docs/attributes.md).",
        {
            "mean accuracy": ("peta", "mean_accuracy"),
            "macro F1": ("peta", "macro_f1"),
            "mean recall": ("peta", "mean_recall"),
            "mean accuracy, Market-1501": ("market1501-attributes", "mean_accuracy"),
        },
        ("| the early report's (as published) | | 0.53 | 0.26 | | |",),
    ),
    "face-verifier": (
        "**Face verification**, LFW folds 7 and 8: accuracy of 1,200 pairs, and the false non-match rate at a false "
        "match rate.",
        {
            "accuracy": ("lfw", "accuracy"),
            "FNMR at FMR 1e-2": ("lfw", "fnmr@1e-2"),
            "FNMR at FMR 1e-3": ("lfw", "fnmr@1e-3"),
        },
        (),
    ),
    "pets": (
        "**Pets**, Oxford-IIIT Pet: breed of 368 images, one of 37; overlap of the foreground's mask on 27 others, the "
        "trimaps' border left out.",
        {
            "breed top-1": ("pets", "top1"),
            "weighted F1": ("pets", "weighted_f1"),
            "mask F1, pixels": ("pets-masked", "f1_pooled"),
            "mask F1, mean": ("pets-masked", "f1"),
            "mask IoU": ("pets-masked", "iou"),
        },
        ("| the early reports' best (as published) | | | 0.39 | 0.84 | | |",),
    ),
    "person-mask": (
        "**Person mask**, Clothing Co-Parsing, in the photographs' own pixels; Penn-Fudan was never trained on "
        "([more](docs/person-mask.md)).",
        {
            "IoU": ("ccp", "iou"),
            "boundary F1": ("ccp", "boundary_f1"),
            "clothing, mean IoU": ("ccp", "class_iou"),
            "IoU, Penn-Fudan": ("pennfudan", "iou"),
        },
        (),
    ),
    "reid": (
        "**Person re-identification**, Market-1501: 301 probes against 301 gallery images.",
        {
            "rank-1": ("market1501", "rank1"),
            "rank-5": ("market1501", "rank5"),
            "rank-10": ("market1501", "rank10"),
            "mAP": ("market1501", "mAP"),
        },
        ("| the early reports' best (as published) | | 0.25 | 0.48 | 0.62 | |",),
    ),
}

RESEARCH = """`LICENSE-weights` beside this package says what that means. For other uses, train the same recipe on data
that you have the right to use."""
OPEN = "That licence covers this file; the research terms in `LICENSE-weights` do not."

CARD = """# {name}

{purpose}

| | |
|---|---|
| file | `{file}`, {size} bytes ({packed} gzipped) |
| model id | `{model_id}` |
| input | {input} |
| output | {output} |
| compression | `{recipe}`: {weights} weights, {activations} activations |
| weights | {parameters}, {sparsity} of the prunable ones zero |
| calibration | {calibration} |
| trained | {trained} |

## Figures

Measured on this very file, through the handlens runtime; 95% intervals are bootstraps {intervals}.

| data set | split | metric | value | 95% interval | n |
|---|---|---|---|---|---|
{figures}

{splits}
{breakdowns}{thresholds}
## Data and licence

| data | split | terms |
|---|---|---|
{data}

**{licence}.** {terms}

## Use and limits

```python data
{use}
```

{limits}
"""


@cache
def opened(name: str) -> Artifact:
    """An artifact of the zoo."""
    return Artifact.open(handlens_zoo.path(name))


def card(name: str) -> str:
    """The Markdown card of an artifact."""
    artifact = opened(name)
    file, manifest = artifact.path, artifact.manifest
    texts = TEXTS[manifest.task]
    image, made, source = manifest.input, manifest.compression, manifest.provenance
    used = made.calibration
    return CARD.format(
        name=name,
        purpose=texts.purpose,
        intervals=texts.intervals,
        splits=texts.splits,
        breakdowns=_breakdowns(artifact),
        thresholds=_thresholds(manifest),
        use=texts.use.format(name=name),
        limits=texts.limits,
        file=file.name,
        size=f"{file.stat().st_size:,}",
        packed=f"{len(gzip.compress(file.read_bytes(), mtime=0)):,}",
        model_id=manifest.model_id,
        input=f"{image.height} x {image.width} {image.colour}, {image.dtype}",
        output="; ".join(f"`{output.name}` {list(output.shape)}, {output.meaning}" for output in manifest.outputs),
        recipe=made.recipe,
        weights=made.weights,
        activations=made.activations,
        parameters=f"{made.parameters:,}",
        sparsity=f"{made.sparsity:.0%}",
        calibration=f"{used.count} images of {used.dataset} {used.split}, seed {used.seed}" if used else "none",
        trained=f"run `{source.run}`, seed {source.seed}, {source.trained_seconds / 60:.0f} minutes; `{source.source}`",
        figures="\n".join(_row(metric) for metric in manifest.metrics),
        data="\n".join(f"| {data.name} | {data.split} | {data.licence} |" for data in source.data),
        licence=source.weights_licence[:1].upper() + source.weights_licence[1:],
        terms=RESEARCH if "research" in source.weights_licence else OPEN,
    )


def _breakdowns(artifact: Artifact) -> str:
    """The test figures taken apart, a table each; nothing for tasks without any."""
    found = json.loads(artifact.extras.get("evaluation.json", b"{}"))
    lines: list[str] = []
    for where, detail in found.items():
        tables = detail["breakdowns"] if where.endswith("/test") else []
        for table in tables:
            lines += [
                "",
                f"| {where}, by {table['name']} | n | {table['metric']} | 95% interval |",
                "|---|---|---|---|",
            ]
            for label, n, value, low, high in table["rows"]:
                cells = "too few | " if value is None else f"{value:.3f} | {low:.3f} to {high:.3f}"
                lines.append(f"| {label} | {n:,} | {cells} |")
    return "\n".join([*lines, ""]) if lines else ""


def _thresholds(manifest: Manifest) -> str:
    """The thresholds of a verifier; nothing for other tasks."""
    if not manifest.thresholds:
        return ""
    lines = ["", "| for FMR | threshold | FMR measured at it, 95% | comparisons |", "|---|---|---|---|"]
    lines += [
        f"| {limit.target_fmr:g} | {limit.value:.4f} | {limit.low:.2g} to {limit.high:.2g} | {limit.comparisons:,} |"
        for limit in manifest.thresholds
    ]
    return "\n".join([*lines, ""])


def _row(metric: Metric) -> str:
    value = f"{metric.value:.3f} | {metric.low:.3f} to {metric.high:.3f} | {metric.n:,}"
    return f"| {metric.dataset} | {metric.split} | {metric.name} | {value} |"


def table() -> str:
    """The README's tables: each artifact on the test splits, one table a task."""
    found: dict[str, list[str]] = {}
    for name in handlens_zoo.names():
        found.setdefault(opened(name).manifest.task, []).append(name)
    return "\n\n".join(_table(task, found[task]) for task in TABLES if task in found)


def _table(task: str, names: list[str]) -> str:
    title, columns, published = TABLES[task]
    heads = " | ".join(columns)
    lines = [title, "", f"| artifact | bytes | {heads} |", "|---" * (len(columns) + 2) + "|"]
    for name in names:
        artifact = opened(name)
        tested = [metric for metric in artifact.manifest.metrics if metric.split == "test"]
        figures = {(metric.dataset, metric.name): metric for metric in tested}
        cells = [_interval(figures[key]) if key in figures else "" for key in columns.values()]
        lines.append(f"| [{name}](zoo/handlens_zoo/cards/{name}.md) | {artifact.size:,} | {' | '.join(cells)} |")
    return "\n".join([*lines, *published])


def _interval(metric: Metric) -> str:
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"


def wanted() -> dict[Path, str]:
    """Every file that this script writes, with its content."""
    cards = {ROOT / "zoo/handlens_zoo/cards" / f"{name}.md": card(name) for name in handlens_zoo.names()}
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return cards | {README: f"{before}{BEGIN}\n{table()}\n{END}{after}"}


def main(check: bool) -> int:
    """Writes, or checks; returns the exit status."""
    stale = {
        path: text for path, text in wanted().items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        print(f"{'out of date' if check else 'wrote'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
