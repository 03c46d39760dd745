"""Evidence: the numbers in captions and tables by brute force, what a sheet shows, and a page without dead links."""

import csv
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
from handlens.errors import DataError, RunError  # noqa: E402
from handlens_train.augment import Augment  # noqa: E402
from handlens_train.evidence import ablation, curves, drawing, page, wins, write_evidence  # noqa: E402
from handlens_train.evidence.cmc import draw_cmc  # noqa: E402
from handlens_train.evidence.matches import Crowd, Matches, match  # noqa: E402
from handlens_train.evidence.mistakes import draw_mistakes  # noqa: E402
from handlens_train.evidence.triplets import draw_distances, draw_triplets  # noqa: E402
from handlens_train.evidence.tsne import draw_tsne  # noqa: E402

PEOPLE, SHOTS = 12, 4


def _crowd() -> Crowd:
    ids = np.repeat(np.arange(1, PEOPLE + 1), SHOTS)
    images = [np.full((16, 8, 3), 10 * person + 60, np.uint8) for person in ids]
    return Crowd(images, ids, np.tile(np.arange(SHOTS) % 2, PEOPLE))


def _embeddings(noise: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.repeat(rng.normal(size=(PEOPLE, 8)), SHOTS, axis=0) + rng.normal(0, noise, (PEOPLE * SHOTS, 8))


def _matches(noise: float, name: str = "model", seed: int = 0) -> Matches:
    crowd, points = _crowd(), _embeddings(noise, seed)
    return match(name, points, points, crowd, crowd)


def _has(path: Path, colour: str) -> bool:
    """Whether a PNG holds many pixels of a colour."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (5, 3, 1)])
    return bool((np.abs(cv2.imread(str(path)).astype(int) - wanted).max(axis=2) < 6).sum() > 100)


def test_matches_are_those_of_brute_force() -> None:
    crowd, points = _crowd(), _embeddings(1.0)
    found = match("model", points, points, crowd, crowd, top=3)
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    for probe in range(len(points)):
        same = crowd.ids == crowd.ids[probe]
        counts = np.flatnonzero(~(same & (crowd.cameras == crowd.cameras[probe])))
        distance = 1 - unit[counts] @ unit[probe]
        order = counts[np.argsort(distance)]
        assert found.nearest[probe].tolist() == order[:3].tolist()
        np.testing.assert_allclose(found.distances[probe], np.sort(distance)[:3], atol=1e-5)
        assert crowd.ids[found.truth[probe]] == crowd.ids[probe]
        assert found.truth[probe] == order[found.ranking.first_match[probe]]


def test_the_mistakes_sheet_shows_wrong_and_right(tmp_path: Path) -> None:
    crowd, path = _crowd(), tmp_path / "mistakes.png"
    found = _matches(1.5)
    caption = draw_mistakes(found, crowd, crowd, path)
    assert caption.startswith(f"{np.sum(found.ranking.first_match > 0)} of 48 probes")
    assert _has(path, drawing.WRONG) and _has(path, drawing.RIGHT)
    assert draw_mistakes(_matches(0.0), crowd, crowd, path).startswith("0 of 48 probes")
    assert not _has(path, drawing.WRONG)


def test_triplets_and_distances_tell_a_good_model_from_a_bad_one(tmp_path: Path) -> None:
    crowd = _crowd()
    share, passed = [], []
    for noise in (0.05, 3.0):
        points = _embeddings(noise)
        caption = draw_triplets(points, points, crowd, crowd, tmp_path / "triplets.png")
        share.append(int(re.search(r"(\d+)% have a positive margin", caption)[1]))
        caption = draw_distances(points, points, crowd, crowd, tmp_path / "distances.png")
        passed.append(float(re.search(r"([\d.]+)% of the pairs of one person", caption)[1]))
    assert share[0] == 100 > share[1] and passed[0] == 100 > passed[1]
    alone = Crowd(crowd.images[:2], crowd.ids[:2], crowd.cameras[:2])
    with pytest.raises(DataError, match="no triplet"):
        draw_triplets(points[:2], points[:2], alone, alone, tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_the_map_shows_every_image_of_the_chosen_people(tmp_path: Path) -> None:
    caption = draw_tsne(_embeddings(0.3), _crowd(), tmp_path / "tsne.png", identities=5)
    assert caption.startswith("20 images of 5 people")
    assert cv2.imread(str(tmp_path / "tsne.png")).std() > 5
    with pytest.raises(DataError, match="five images"):
        draw_tsne(_embeddings(0.3), _crowd(), tmp_path / "tsne.png", identities=1)


def test_wins_add_up(tmp_path: Path) -> None:
    a, b = _matches(0.4, "good"), _matches(1.5, "poor", 1)
    rows = wins.tabulate_wins(a, b, tmp_path / "wins.csv")
    gains = [row["ap_difference"] for row in rows]
    assert len(rows) == PEOPLE and gains == sorted(gains, reverse=True)
    hits = a.ranking.hits(1), b.ranking.hits(1)
    assert np.mean([row["rank1_a"] for row in rows]) == pytest.approx(hits[0].mean(), abs=1e-3)
    text = wins.compare(a, b)
    counts = [int(n) for n in re.search(r"both find (\d+).*good (\d+).*poor (\d+), neither (\d+)", text).groups()]
    assert counts[0] + counts[1] == hits[0].sum() and counts[0] + counts[2] == hits[1].sum() and sum(counts) == 48
    assert f"{100 * (hits[0] - hits[1]).mean():+.1f} points" in text and "leaves out zero" in text
    assert "may be chance" in wins.compare(a, a)
    with (tmp_path / "wins.csv").open() as file:
        assert [float(row["ap_difference"]) for row in csv.DictReader(file)] == gains
    wins.draw_wins(a, b, rows, tmp_path / "wins.png")
    caption = wins.draw_win_sheet(a, b, _crowd(), _crowd(), tmp_path / "won.png")
    assert caption.startswith(f"{counts[1]} probes") and _has(tmp_path / "won.png", drawing.WRONG)
    assert wins.draw_win_sheet(a, a, _crowd(), _crowd(), tmp_path / "none.png").startswith("No probe")


def test_augmentation_is_compared_pairwise(tmp_path: Path) -> None:
    recipe = {"flip": 0.5, "shift": 8, "erase": 0.5}
    assert ablation.describe(recipe, recipe | {"flip": 0.0}) == "without flip"
    assert ablation.describe(recipe, dict.fromkeys(recipe, 0)) == "none"
    assert ablation.describe(recipe, recipe | {"shift": 4, "erase": 0}) == "shift 8 → 4, without erase"
    full, poor = _matches(0.4), _matches(1.5, seed=1)
    rows = ablation.ablate(full, [("without flip", poor)])
    assert rows[0].difference.value == 0 and rows[1].difference.high < 0
    assert rows[1].difference.value == pytest.approx(rows[1].rank1.value - rows[0].rank1.value)
    ablation.draw_ablation(rows, tmp_path / "ablation.png", tmp_path / "ablation.csv")
    assert _has(tmp_path / "ablation.png", drawing.WRONG)  # the loss is certain, so it is red
    with (tmp_path / "ablation.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["augmentation"] for row in table] == ["as the recipe", "without flip"]


def test_curves_read_epochs_without_an_evaluation(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("epoch,loss,learning_rate,seconds,rank1\n0,2.5,0.1,30,\n1,1.5,0.05,60,0.4\n")
    columns = curves.read_log(log)
    assert np.isnan(columns["rank1"][0]) and columns["rank1"][1] == 0.4
    assert curves.draw_curves(log, tmp_path / "curves.png") == "2 epochs in 1.0 minutes."
    assert cv2.imread(str(tmp_path / "curves.png")) is not None
    for text, message in (("epoch,loss\n", "no epoch yet"), ("epoch,loss\n0,much\n", "no training log")):
        log.write_text(text)
        with pytest.raises(RunError, match=message):
            curves.read_log(log)


def test_the_page_escapes_what_it_is_given(tmp_path: Path) -> None:
    section = page.Section("<b>", "a & b", header=("x",), rows=[("<script>",)])
    page.write_page(tmp_path / "index.html", "<title>", ["<i>"], [section])
    text = (tmp_path / "index.html").read_text()
    assert "<script>" not in text and "<b>" not in text and "&lt;script&gt;" in text and "a &amp; b" in text


def test_the_cmc_names_every_model(tmp_path: Path) -> None:
    caption = draw_cmc([_matches(1.0, "own"), _matches(2.0, "other", 1)], tmp_path / "cmc.png", max_rank=10)
    assert caption.startswith("48 probes") and "own" in caption
    assert _has(tmp_path / "cmc.png", drawing.SERIES[0]) and _has(tmp_path / "cmc.png", drawing.SERIES[1])


@pytest.mark.slow
def test_a_run_gets_a_page_whose_links_all_lead_somewhere(market: Path, tmp_path: Path) -> None:
    pytest.importorskip("keras")
    from handlens_train.tasks import reid

    reid.train("lda", market, tmp_path / "lda")
    reid.train("pca90", market, tmp_path / "pca")
    other = tmp_path / "lda-noflip"
    reid.train("lda", market, other, overrides={"augment": Augment(flip=0.0)})
    done = []
    made = write_evidence(tmp_path / "lda", market, [tmp_path / "pca", other], tick=done.append)
    text = made.read_text()
    links = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert {"cmc.png", "explained.png", "tsne.png", "ablation.png", "wins1.png", "times.csv"} <= set(links)
    assert all((made.parent / link).is_file() for link in links)
    assert "without flip" in text and "lda (lda-noflip)" in text
    assert "embedding with pca90" in done
    made = write_evidence(tmp_path / "pca", market, split="test")
    assert made.parent.name == "evidence-test"
    assert "12 probes against 12 gallery images" in made.read_text()
