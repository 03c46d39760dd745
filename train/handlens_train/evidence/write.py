"""All evidence of one run in RUN/evidence, beside other runs or artifacts, behind one page."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from handlens.errors import OptionError
from handlens_train import tasks
from handlens_train.evidence import ablation, times
from handlens_train.evidence.cmc import draw_cmc
from handlens_train.evidence.curves import draw_curves
from handlens_train.evidence.matches import Matches, match
from handlens_train.evidence.mistakes import draw_mistakes
from handlens_train.evidence.page import Section, write_page
from handlens_train.evidence.triplets import draw_distances, draw_triplets
from handlens_train.evidence.tsne import draw_tsne
from handlens_train.evidence.wins import compare, draw_win_sheet, draw_wins, tabulate_wins
from handlens_train.recipe import of_run
from handlens_train.run import Run

LOG = "log.csv"
FOLDERS = {"val": "evidence", "test": "evidence-test"}


def write_evidence(
    run: Path,
    data: Path,
    against: Sequence[Path] = (),
    *,
    split: str = "val",
    tick: Callable[[str], None] = lambda _: None,
) -> Path:
    """Draw everything there is to see of a run; returns the page, RUN/evidence/index.html (test: RUN/evidence-test).

    A re-ID run gets it all, one of another task its training curves, and what its module's `evidence` adds, if it has
    one: from (run, data, split, folder) to sections.

    Args:
        run: the run folder.
        data: folder of Market-1501, either layout.
        against: further run folders or artifacts to compare with; runs of the same recipe that differ in augmentation
            alone become an ablation.
        split: "val", held-out training identities, or "test". Look at test mistakes only when no choice is left to
            make.
        tick: called with the name of each part before it is drawn.

    Raises:
        RunError: a run half written, or in `against` not of re-ID. DataError, OptionError: bad data or split.
        ArtifactError, EngineError: an artifact is refused. MissingExtra: matplotlib or scikit-learn is not installed.
    """
    from handlens_train.evidence import collect

    if split not in FOLDERS:
        raise OptionError(f"unknown split {split!r}; valid: {', '.join(FOLDERS)}.")
    opened, out = Run.open(run), run / FOLDERS[split]
    page = out / "index.html"
    if opened.task != collect.TASK:
        own = getattr(tasks.get(opened.task), "evidence", None)
        more = own(opened, data, split, out) if own is not None else []
        write_page(page, f"{opened.recipe}: evidence", _facts(opened), [_curves(opened, out), *more])
        return page
    paths = [run, *against]
    models = [collect.open_model(path) for path in paths]
    names = collect.distinct(models, paths)
    tick("people")
    scene = collect.scene(data, split)
    matches, own = [], None
    for name, model in zip(names, models, strict=True):
        tick(f"embedding with {name}")
        probes = model.embed(scene.probe_paths)
        gallery = probes if scene.multi_shot else model.embed(scene.gallery_paths)
        matches.append(match(name, probes, gallery, scene.probe, scene.gallery))
        own = own or (probes, gallery)
    sections = _own_sections(opened, scene, matches[0], own, out, tick)
    tick("CMC")
    caption = draw_cmc(matches, out / "cmc.png", title=f"CMC, {split}: {scene.words}")
    sections.insert(0, Section("CMC", caption, out / "cmc.png"))
    variants = [model.run is not None and _alike(opened, model.run) for model in models]
    for index, (other, variant) in enumerate(zip(matches, variants, strict=True)):
        if index and not variant:
            tick(f"against {other.name}")
            sections += _against(matches[0], other, scene, out, index)
    described = [
        (ablation.describe(opened.config["augment"], model.run.config["augment"]), found)
        for model, found, variant in zip(models, matches, variants, strict=True)
        if variant
    ]
    if described:
        sections.append(_ablation(matches[0], described, out))
    tick("times")
    rows = [replace(model.time(), name=name) for name, model in zip(names, models, strict=True)]
    times.tabulate_times(rows, out / "times.csv")
    note = "Wall clock; whatever else the machine was doing is in these times."
    cells = [row.cells for row in rows]
    sections.append(Section("Times", note, header=times.HEADER, rows=cells, files=[out / "times.csv"]))
    facts = [
        *_facts(opened),
        f"Measured on {split}: {scene.words}. Images of one person under the probe's own camera never count.",
        f"These pictures show people. Licence of the data: {opened.info['data']['licence']}. Keep them out of git.",
    ]
    write_page(page, f"{opened.recipe}: evidence", facts, sections)
    return page


def _own_sections(
    run: Run, scene: Any, model: Matches, own: Any, out: Path, tick: Callable[[str], None]
) -> list[Section]:
    probes, gallery = own
    people = (scene.probe, scene.gallery)
    sections = _training(run, scene, out)
    tick("worst mistakes")
    caption = draw_mistakes(model, *people, out / "mistakes.png")
    sections.append(Section("Worst mistakes", caption, out / "mistakes.png"))
    tick("triplets")
    caption = draw_triplets(probes, gallery, *people, out / "triplets.png")
    sections.append(Section("Triplets", caption, out / "triplets.png"))
    caption = draw_distances(probes, gallery, *people, out / "distances.png")
    sections.append(Section("Distances", caption, out / "distances.png"))
    tick("t-SNE")
    embeddings, crowd = probes, scene.probe
    if not scene.multi_shot:
        embeddings = np.concatenate([probes, gallery])
        crowd = type(crowd)(
            [*people[0].images, *people[1].images],
            np.concatenate([people[0].ids, people[1].ids]),
            np.concatenate([people[0].cameras, people[1].cameras]),
        )
    caption = draw_tsne(embeddings, crowd, out / "tsne.png", title=f"t-SNE of {model.name}'s embeddings")
    return [*sections, Section("t-SNE", caption, out / "tsne.png")]


def _training(run: Run, scene: Any, out: Path) -> list[Section]:
    from handlens.image import prepare
    from handlens_train.baselines import Baseline
    from handlens_train.evidence.components import draw_explained, draw_reconstructions
    from handlens_train.reid_training import BASELINE
    from handlens_train.tasks import reid

    if not (run.path / BASELINE).is_file():
        return [_curves(run, out)]
    fitted, spec = Baseline.load(run.path / BASELINE), of_run(run, reid.Recipe, reid.TASK).input()
    _, first = np.unique(scene.probe.ids, return_index=True)
    images = np.stack([prepare(scene.probe.images[i], spec) for i in first[:10]])
    explained, rebuilt = out / "explained.png", out / "reconstructions.png"
    return [
        Section("Components", draw_explained(fitted, explained), explained),
        Section("Reconstructions", draw_reconstructions(fitted, images, rebuilt), rebuilt),
    ]


def _curves(run: Run, out: Path) -> Section:
    caption = draw_curves(run.path / LOG, out / "curves.png", run.recipe)
    return Section("Training", caption, out / "curves.png")


def _against(own: Matches, other: Matches, scene: Any, out: Path, index: int) -> list[Section]:
    table, plot = out / f"wins{index}.csv", out / f"wins{index}.png"
    rows = tabulate_wins(own, other, table)
    draw_wins(own, other, rows, plot)
    sections = [Section(f"{own.name} and {other.name}", compare(own, other), plot, files=[table])]
    for a, b, file in ((own, other, out / f"won{index}.png"), (other, own, out / f"lost{index}.png")):
        caption = draw_win_sheet(a, b, scene.probe, scene.gallery, file)
        sections.append(Section(f"Won by {a.name} over {b.name}", caption, file))
    return sections


def _ablation(full: Matches, variants: Sequence[tuple[str, Matches]], out: Path) -> Section:
    rows = ablation.ablate(full, variants)
    picture, table = out / "ablation.png", out / "ablation.csv"
    caption = ablation.draw_ablation(rows, picture, table)
    return Section("Augmentation", caption, picture, ablation.HEADER, [row.cells for row in rows], [table])


def _alike(a: Run, b: Run) -> bool:
    """Whether two runs differ in their augmentation, and in nothing else that decides the weights."""
    rest = [{key: value for key, value in run.config.items() if key != "augment"} for run in (a, b)]
    same = (a.recipe, a.seed, rest[0]) == (b.recipe, b.seed, rest[1])
    return same and a.config.get("augment") != b.config.get("augment")


def _facts(run: Run) -> list[str]:
    data = run.info["data"]
    counts = ", ".join(f"{count} {what}" for what, count in data["train"].items() if isinstance(count, int))
    return [f"Recipe {run.recipe}, seed {run.seed}, status {run.status}. Trained on {data['name']}: {counts}."]
