"""What fine-tuning asks of each output: embeddings, logits and cells are told apart, and empty cells do not decide."""

from typing import Any

import numpy as np
import pytest

from handlens.errors import RunError
from handlens.manifest import OutputSpec, Tolerance
from handlens_export.matching import bounded, matches
from handlens_train.exportable import Match

DETECTOR = {"score": 1, "box": 4, "points": 10, "gender": 1}


def outputs(**shapes: tuple[int, ...]) -> tuple[OutputSpec, ...]:
    meanings = {"gender": "logit of female", "scores": "logits of background, face"}
    return tuple(
        OutputSpec(name=n, meaning=meanings.get(n, n), shape=s, tolerance=Tolerance(absolute=0, relative=1e-3))
        for n, s in shapes.items()
    )


def test_a_detector_weighs_its_cells_by_the_score() -> None:
    found = matches(outputs(**{name: (1, 84, k) for name, k in DETECTOR.items()}), {})
    assert found == {
        "score": Match("logit"),
        "box": Match("value", "score"),
        "points": Match("value", "score"),
        "gender": Match("logit", "score"),
    }
    assert bounded(found) == tuple(DETECTOR)


def test_other_networks_have_no_cells() -> None:
    assert matches(outputs(embedding=(1, 24)), {}) == {"embedding": Match("cosine")}
    assert matches(outputs(gender=(1, 1)), {}) == {"gender": Match("logit")}
    assert matches(outputs(score=(1, 1), mask=(1, 1)), {}) == {"score": Match("logit"), "mask": Match("logit")}
    assert matches(outputs(scores=(1, 2)), {}) == {"scores": Match("value")}, "logits of a softmax have no fixed scale"


def test_a_segmenter_weighs_its_classes_by_the_mask() -> None:
    found = matches(outputs(mask=(1, 16, 16, 1), classes=(1, 16, 16, 5), fine=(1, 32, 32, 2), breed=(1, 37)), {})
    assert found == {
        "mask": Match("logit"),
        "classes": Match("value", "mask"),
        "fine": Match("value"),
        "breed": Match("value"),
    }


def test_a_run_may_say_otherwise_but_only_of_what_there_is() -> None:
    specs = outputs(score=(1, 9, 1), box=(1, 9, 4))
    assert matches(specs, {"box": Match("value")})["box"] == Match("value")
    with pytest.raises(RunError, match="names depth; the network's outputs: score, box"):
        matches(specs, {"box": Match("value", "depth")})


def test_only_cells_that_hold_something_move_the_boxes(keras_tf: Any) -> None:
    from handlens_export.distill import difference

    matching = matches(outputs(**{name: (1, 50, k) for name, k in DETECTOR.items()}), {})
    random = np.random.default_rng(0)
    wanted = {name: random.normal(0, 1, (2, 50, k)).astype(np.float32) for name, k in DETECTOR.items()}
    wanted["score"] = np.full((2, 50, 1), -9.0, np.float32)
    wanted["score"][:, 7] = 3.0

    def loss(**changed: np.ndarray) -> float:
        tensors = [{k: keras_tf.ops.convert_to_tensor(v) for k, v in d.items()} for d in (wanted, wanted | changed)]
        return float(difference(*tensors, matching))

    def shifted(name: str, cell: int, by: float) -> np.ndarray:
        values = wanted[name].copy()
        values[:, cell] += by
        return values

    assert loss() == pytest.approx(0.0, abs=1e-6)
    for name in ("box", "points", "gender"):
        assert loss(**{name: shifted(name, 7, 1.0)}) > 100 * loss(**{name: shifted(name, 30, 1.0)}) > 0
    assert loss(score=shifted("score", 30, 12.0)) > 0.1, "a face seen where there is none counts"
    assert loss(score=shifted("score", 30, -5.0)) < 0.001, "an empty cell that is emptier still does not"
