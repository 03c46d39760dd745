"""Re-ID training as a user meets it: it learns, it resumes to the very same weights, it runs under JAX."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")
from handlens.errors import OptionError, RunError  # noqa: E402
from handlens_train.augment import NONE  # noqa: E402
from handlens_train.recipe import choose  # noqa: E402
from handlens_train.run import Run  # noqa: E402
from handlens_train.tasks import reid  # noqa: E402

SMALL = {"height": 32, "width": 16, "identities": 4, "images": 3, "augment": NONE}
TINY = SMALL | {
    "trunk": "dcnn",
    "options": {"head": 16},
}  # few layers: tracing a deep graph takes most of a test's time


def _train(out: Path, market: Path, epochs: int, **options) -> str:
    return reid.train("mobile-scratch", market, out, overrides=TINY | {"epochs": epochs}, steps=4, **options)


def test_a_killed_run_goes_on_as_if_it_had_not_been(market: Path, tmp_path: Path) -> None:
    def interrupt(epoch: int, scores: dict[str, float]) -> None:
        if epoch == 0:
            raise KeyboardInterrupt

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert _train(whole, market, 2) == "complete"
    assert _train(broken, market, 2, tick=interrupt) == "interrupted"
    with pytest.raises(RunError, match="Resume it"):
        Run.open(broken)
    assert _train(broken, market, 2) == "complete"
    first, second = (np.load(run / "checkpoint.npz") for run in (whole, broken))
    for name in first.files:
        if name != "state":
            np.testing.assert_allclose(first[name], second[name], atol=1e-5, err_msg=name)
    with (broken / "log.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1"]
    assert list((broken / "tensorboard").glob("events*"))
    info = json.loads((broken / "run.json").read_text())
    assert info["status"] == "complete" and info["seconds"] > 0 and len(info["data"]["train"]["sha256"]) == 64
    assert Run.open(broken).weights.is_file()


def test_the_early_network_learns_to_tell_people_apart(market: Path, tmp_path: Path) -> None:
    scores = []
    settings = SMALL | {"epochs": 6, "options": {"head": 16}, "learning_rate": 2e-3}
    reid.train("vgg-triplet", market, tmp_path / "run", overrides=settings, tick=lambda _, s: scores.append(s))
    assert scores[-1]["loss"] < 0.8 * scores[0]["loss"]
    assert scores[-1]["rank1"] > 0.3  # 50 identities: chance is about 0.02


def test_a_folder_of_another_run_is_not_overwritten(market: Path, tmp_path: Path) -> None:
    reid.train("pca90", market, tmp_path / "run")
    with pytest.raises(RunError, match="recipe"):
        reid.train("pca95", market, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["recipe"] == "pca90"


def test_a_time_limit_ends_a_run_that_can_be_exported(market: Path, tmp_path: Path) -> None:
    assert _train(tmp_path / "run", market, 500, max_minutes=0.001) == "complete"
    assert Run.open(tmp_path / "run").status == "complete"


def test_an_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(OptionError, match="reid-small"):
        choose(reid.RECIPES, reid.TASK, "resnet50")


def test_the_same_recipe_trains_under_jax(market: Path, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    script = (
        "import sys, keras\nfrom pathlib import Path\nfrom handlens_train.augment import NONE\n"
        "from handlens_train.tasks import reid\nassert keras.backend.backend() == 'jax'\n"
        f"print(reid.train('mobile-scratch', Path(sys.argv[1]), Path(sys.argv[2]), steps=3, "
        f"overrides={ {k: v for k, v in TINY.items() if k != 'augment'} | {'epochs': 1} }))"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", script, str(market), str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().endswith("complete")
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["backend"] == "jax" and info["best"]["mAP"] is not None
