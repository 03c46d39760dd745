"""How the recommender is fitted: profiles of the training part, mixtures by BIC, tables, and what the run shows."""

import csv
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from handlens._titles import EXTRA, TitleTable
from handlens.files import write_bytes, write_text
from handlens_data.datasets import movielens
from handlens_train import recommender_pictures
from handlens_train.begin import begin
from handlens_train.recipe import choose
from handlens_train.recommender_data import profiles, table
from handlens_train.recommender_mixture import Mixture, Search, fit
from handlens_train.run import WEIGHTS, read_info, write_info
from handlens_train.tasks.recommender import RECIPES, TASK

MIXTURE = "mixture.npz"
SHOWN_TITLES = 5


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    seed: int = 0,
    max_minutes: float | None = None,
    overrides: dict[str, Any] | None = None,
    tick: Callable[..., None] = lambda *_: None,
) -> str:
    """Fit a recipe into the run folder `out`; returns "complete", or "interrupted" after Ctrl-C.

    Only the training part of the ratings is looked at. A run that is there is fitted again: it takes seconds.

    Args:
        name: of the recipe.
        data: folder of MovieLens, any layout.
        out: the run folder.
        seed: of the mixtures.
        max_minutes: no further fit begins after it.
        overrides: fields of the recipe to replace.
        tick: called once, as tick(0, {"components": ..., "bic": ...}).

    Raises:
        RunError: `out` holds a run of other settings.
        DataError, OptionError: bad data or settings.
    """
    how = choose(RECIPES, TASK, name, overrides)
    found = movielens.load(data)
    ratings = found.part("train")
    people = profiles(ratings, found.movies)
    described = {"ratings": len(ratings), "users": len(people.users), "sha256": ratings.sha256()}
    facts = {"name": found.name, "licence": found.licence, "train": described}
    info = {"task": TASK, "recipe": name, "config": asdict(how), "seed": seed, "data": facts}
    begin(out, info, "none")
    start = time.monotonic()
    try:
        search = Search(how.components, how.seeds, how.covariance, how.floor, how.fixed)
        mixture, fits = fit(people.values, search, seed, max_minutes)
    except KeyboardInterrupt:
        write_info(out, read_info(out) | {"status": "interrupted"})
        return "interrupted"
    clusters = mixture.log_responsibilities(people.values).argmax(axis=1)
    titles = table(found, ratings, people.users, clusters, len(mixture.weights))
    mean = people.values.mean(axis=0)
    names = describe(mixture, mean)
    mixture.save(out / MIXTURE)
    write_bytes(out / EXTRA, titles.to_json())
    write_csv(
        out / "bic.csv", ("components", "seed", "bic", "converged"), [tuple(asdict(one).values()) for one in fits]
    )
    counts = np.unique(ratings.users, return_counts=True)[1]
    members = [clusters == index for index in range(len(names))]
    typical = [float(np.median(counts[own])) if own.any() else 0.0 for own in members]
    header = ("cluster", "users", "share", "ratings", "name", *movielens.GENRES, "liked most")
    write_csv(out / "clusters.csv", header, list(_rows(mixture, titles, names, typical)))
    write_text(out / "clusters.md", _words(titles, names))
    recommender_pictures.draw_bic(out / "bic.png", fits, len(mixture.weights))
    recommender_pictures.draw_clusters(out / "clusters.png", mixture.means - mean, titles.users, titles.genres)
    mixture.keras_model().save_weights(out / WEIGHTS)
    lowest = min(fits, key=lambda one: one.bic)
    tick(0, {"components": len(mixture.weights), "bic": lowest.bic, "bic_prefers": lowest.components})
    best = {"components": len(mixture.weights), "bic_prefers": lowest.components, "users": titles.users.tolist()}
    done = {"status": "complete", "seconds": round(time.monotonic() - start, 1), "epochs": 0, "best": best}
    write_info(out, read_info(out) | done | {"clusters": names})
    return "complete"


def describe(mixture: Mixture, mean: np.ndarray, count: int = 3) -> list[str]:
    """A name for each cluster: the genres whose mean rating is highest against everybody's, in stars."""
    found = []
    for row in mixture.means - mean:
        level = row.mean()
        order = np.argsort(-(row - level), kind="stable")[:count]
        genres = " / ".join(f"{movielens.GENRES[index]} {row[index] - level:+.2f}" for index in order)
        found.append(f"{level:+.2f} stars overall; beyond that {genres}")  # no commas: it is a label
    return found


def _rows(mixture: Mixture, titles: TitleTable, names: Sequence[str], typical: Sequence[float]) -> Any:
    for index, name in enumerate(names):
        share = f"{titles.users[index] / titles.users.sum():.3f}"
        top = np.argsort(-titles.liked[index], kind="stable")[:SHOWN_TITLES]
        means = [f"{value:.3f}" for value in mixture.means[index]]
        liked = "; ".join(titles.titles[at] for at in top)
        yield index, titles.users[index], share, f"{typical[index]:g}", name, *means, liked


def _words(titles: TitleTable, names: Sequence[str]) -> str:
    lines = ["# Clusters", "", "Against everybody's mean rating of a genre; stars.", ""]
    for index, name in enumerate(names):
        lines.append(f"- **{index}**, {titles.users[index]} people: {name}.")
    return "\n".join(lines) + "\n"


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Writes a table, atomically."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, buffer.getvalue())
