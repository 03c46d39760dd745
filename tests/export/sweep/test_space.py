"""Which trials a search asks for, against a network whose loss is a known formula."""

from collections.abc import Callable, Iterator

import pytest

from handlens.errors import OptionError
from handlens_export.recipes import recipe_named
from handlens_export.sweep.space import Search, Settings, Space, holds, named, rungs
from handlens_export.sweep.trial import Figures, Outcome, Trial

SETTINGS = Settings(contents={"run": "w"}, allowed=1.0)
Loss = Callable[[float, float], float]  # of channels and sparsity, fractions, to points


def outcome(loss: float | None) -> Outcome:
    if loss is None:
        return Outcome(state="memory", reason="too big")
    figures = Figures(
        artifact="a.tflite", size=1, gzip_size=1, sparsity=0.0, parameters=1, task="t", metric="accuracy",
        dataset="d", split="val", n=100, value=0.9, low=0.8, high=1.0,
        loss=loss, loss_low=0.0, loss_high=0.0, engine="e",
    )  # fmt: skip
    return Outcome(state="done", figures=figures)


def asked(searches: Iterator[Search], loss: Callable[[Trial], float | None]) -> list[str]:
    """The recipes that searches ask for, in order, when their trials lose so much."""
    names = []
    for search in searches:
        try:
            trial = next(search)
            while True:
                names.append(trial.recipe)
                trial = search.send(outcome(loss(trial)))
        except StopIteration:
            continue
    return names


def parts(trial: Trial) -> tuple[float, float]:
    recipe = recipe_named(trial.recipe)
    assert recipe is not None
    return recipe.channels, recipe.sparsity


def space(**given: object) -> Space:
    parts = {"sources": ("run",), "formats": ("tflite",), "arithmetic": ("int8",), "sparsity": (0, 90)}
    return Space(**parts | given)  # type: ignore[arg-type]


@pytest.mark.parametrize("edge", [0, 5, 20, 45, 60, 85, 90])
def test_the_most_zeros_within_the_budget_are_found_in_few_trials(edge: int) -> None:
    names = asked(space().ladders(SETTINGS, "bytes"), lambda trial: 0.5 if parts(trial)[1] <= edge / 100 else 1.5)
    held = [name for name in names if parts(Trial(source="run", recipe=name, format="tflite"))[1] <= edge / 100]
    assert max(held, key=len) and (f"pruned{edge:02d}-int8" if edge else "int8") in held
    assert len(names) == len(set(names)) <= 6  # 19 rungs
    above = named("int8", 0, edge + 5)
    assert edge == 90 or above in names  # that the next rung does not hold was seen


def test_channels_go_on_while_they_hold_and_bear_no_more_zeros() -> None:
    def loss(trial: Trial) -> float:
        channels, sparsity = parts(trial)
        return 2 * channels + sparsity  # 40% of the channels leave room for 20% zeros

    names = asked(space(channels=(0, 25, 40, 60)).ladders(SETTINGS, "bytes"), loss)
    assert {"pruned90-int8", "channels25-pruned50-int8", "channels40-pruned20-int8"} <= set(names)
    assert "channels60-int8" in names and not any(name.startswith("channels60-pruned") for name in names)
    assert not any(int(name[17:19]) > 50 for name in names if name.startswith("channels40-pruned"))


def test_for_latency_channels_are_bisected_without_zeros() -> None:
    names = asked(space(channels=(0, 80)).ladders(SETTINGS, "latency"), lambda trial: 1.5 * (parts(trial)[0] > 0.35))
    assert names[0] == "int8" and {"channels35-int8", "channels40-int8"} <= set(names)
    assert not any("pruned" in name for name in names)


def test_a_float32_that_nothing_comes_near_costs_one_trial_a_combination() -> None:
    ladders = space(arithmetic=("int8", "qat-int8"), channels=(0, 25)).ladders(SETTINGS, "bytes")
    assert asked(ladders, lambda trial: 5.0) == ["int8", "qat-int8"]


def test_a_trial_without_an_outcome_holds_no_budget() -> None:
    names = asked(space().ladders(SETTINGS, "bytes"), lambda trial: None if parts(trial)[1] > 0.3 else 0.0)
    assert "pruned30-int8" in names and not holds(outcome(None), 100.0)
    assert holds(outcome(1.0), 1.0) and not holds(outcome(1.01), 1.0)


def test_a_grid_has_each_artifact_once() -> None:
    grid = space(
        recipes=("int8", "float16"), arithmetic=("int8", "dynamic"), channels=(0, 25), sparsity=(0,), images=(100, 200)
    )
    trials = [next(search) for search in grid.grid(SETTINGS)]
    # float16 and dynamic measure no ranges, so the count of images makes no second trial of them.
    assert sorted((trial.recipe, trial.calibration_images) for trial in trials if not trial.calibration_images) == [
        ("channels25-dynamic", None), ("dynamic", None), ("float16", None),
    ]  # fmt: skip
    assert sorted((trial.recipe, trial.calibration_images) for trial in trials if trial.calibration_images) == [
        ("channels25-int8", 100), ("channels25-int8", 200), ("int8", 100), ("int8", 200),
    ]  # fmt: skip
    assert [trial.recipe for trial in trials][-1].startswith("channels25")  # what is fine-tuned comes last


def test_what_does_not_matter_for_a_recipe_makes_no_other_trial() -> None:
    long = Settings(contents={"run": "w"}, allowed=2.0, max_minutes=60.0, steps=5, seed=1)
    for name, same in {
        "float32": True,
        "float16": True,
        "int8": False,
        "pruned50-float16": False,
        "mixed": False,
    }.items():
        recipe = recipe_named(name)
        assert recipe is not None
        keys = {settings.trial("run", recipe, "tflite", 200).key for settings in (SETTINGS, long)}
        assert (len(keys) == 1) is same, name
    other = Settings(contents={"run": "other weights"}, allowed=1.0)
    recipe = recipe_named("float32")
    assert recipe is not None
    assert other.trial("run", recipe, "tflite", 200).key != SETTINGS.trial("run", recipe, "tflite", 200).key


def test_formats_and_the_second_engine_have_only_what_they_can() -> None:
    onnx = space(arithmetic=("int8", "qat-int8", "tfmot-int8"), sparsity=(0,), formats=("onnx",))
    assert asked(onnx.ladders(SETTINGS, "bytes"), lambda trial: 0.0) == ["int8"]
    assert named("tfmot-clustered16-int8", 0, 50) == "tfmot-pruned50-clustered16-int8"
    assert named("tfmot-int8", 25, 0) is None


def test_rungs() -> None:
    assert rungs((0, 20)) == (0, 5, 10, 15, 20)
    assert rungs((50,)) == (50,)
    assert rungs((12, 25)) == (12, 17, 22, 25)


def test_a_trial_reads_back_as_it_was_written() -> None:
    trial = Trial(source="/a b", recipe="int8", format="onnx", options=(("detector", "/é"),), steps=0)
    assert Trial.from_json(trial.to_json()) == trial
    assert Outcome.from_json(outcome(0.25).to_json()) == outcome(0.25)


def test_words_that_are_wrong() -> None:
    from handlens_export.sweep import wishes
    from handlens_export.sweep.budget import Budget

    with pytest.raises(OptionError, match="--sparsity is '3, 97'; valid: 0, and 5 to 95"):
        wishes.shares("0,3,97", "--sparsity")
    with pytest.raises(OptionError, match="--channels is 'x'"):
        wishes.shares("x", "--channels")
    with pytest.raises(OptionError, match="pruned50-int8, which has channels or pruning already"):
        wishes.ends("int8,pruned50-int8")
    with pytest.raises(OptionError, match="qat-int8 cannot be written as onnx"):
        wishes.space([], ("onnx",), "qat-int8", None, "0", "0", "200")
    with pytest.raises(OptionError, match="names the metric 'map'; valid: rank1"):
        Budget.parse("map-1.0", "rank1")
    with pytest.raises(OptionError, match="METRIC-POINTS such as rank1-1.0"):
        Budget.parse("one point", "rank1")
    assert Budget.parse("mean_accuracy-0.5", "mean_accuracy") == Budget("mean_accuracy", 0.5)
