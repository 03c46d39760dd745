"""`handlens recommend FILE --ratings CSV`: which titles do people of the same taste like?"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from handlens._ratings_csv import RatingRows, read_ratings
from handlens.errors import OptionError, RatingsError
from handlens.recommend import ClusterRecommender


def recommend(
    file: Annotated[Path, typer.Argument(help="A recommender artifact, which handlens export wrote.")],
    ratings: Annotated[Path, typer.Option(help="CSV of movieId, rating and, for several people, userId.")],
    user: Annotated[int | None, typer.Option(help="Whose ratings; needed where the CSV has several users.")] = None,
    count: Annotated[int, typer.Option("-n", "--count", help="Titles at most.")] = 5,
    genre: Annotated[str | None, typer.Option(help="Only titles of this genre.")] = None,
    skip_unknown: Annotated[
        bool, typer.Option(help="Leave out ratings of titles that the artifact does not know, and say how many.")
    ] = False,
    engine: Annotated[str | None, typer.Option(help="litert, tflite-runtime or onnxruntime.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recommend titles to somebody, by ratings: what the cluster of people alike rated above four stars."""
    given = of_user(read_ratings(ratings), user, ratings)
    with ClusterRecommender.load(file, engine=engine) as model:
        left_out = [movie for movie in given if movie not in model.titles] if skip_unknown else []
        if left_out:
            typer.echo(f"left out: {len(left_out)} of {len(given)} ratings, of titles that {file} lacks", err=True)
            given = {movie: value for movie, value in given.items() if movie not in set(left_out)}
            if not given:
                raise RatingsError(f"none of the ratings in {ratings} is of a title that {file} knows")
        found = model.recommend(given, count, genre=genre)
        shares = model.responsibilities(given)
        sizes, names = model.clusters, model.manifest.labels
    cluster = int(shares.argmax())
    name = names[cluster] if len(names) == len(sizes) else ""
    if as_json:
        report = {
            "ratings": len(given),
            "cluster": cluster,
            "cluster_name": name,
            "responsibilities": [round(float(share), 6) for share in shares],
            "recommendations": [asdict(one) for one in found],
        }
        typer.echo(json.dumps(report, indent=2))
        return
    typer.echo(
        f"{len(given)} ratings: cluster {cluster} of {len(sizes)} (probability {shares[cluster]:.2f}, "
        f"{sizes[cluster]:,} people{f'; {name}' if name else ''})"
    )
    for place, one in enumerate(found, 1):
        typer.echo(f"{place:>3}. {one.title}  [{', '.join(one.genres) or 'no genre'}]  score {one.score:.4g}")
    if not found:
        typer.echo("nothing: nobody likes a title that these ratings leave")


def of_user(rows: RatingRows, user: int | None, path: Path) -> dict[int, float]:
    """Movie id to stars, of one user.

    Raises:
        OptionError: the file has several users and none was chosen, or not the chosen one.
    """
    users = np.unique(rows.users)
    shown = ", ".join(map(str, users[:5])) + (", ..." if len(users) > 5 else "")
    if user is None and len(users) > 1:
        raise OptionError(f"{path} has ratings of {len(users)} users ({shown}); choose one with --user ID")
    if user is not None and user not in users:
        raise OptionError(f"{path} has no ratings of user {user}; it has {len(users)} users: {shown}")
    own = rows.users == (users[0] if user is None else user)
    return dict(zip(rows.movies[own].tolist(), rows.values[own].tolist(), strict=True))
