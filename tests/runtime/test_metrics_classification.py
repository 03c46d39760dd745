"""Confusion, macro F1 and mean recall against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlens.errors import InputError
from handlens.metrics import confusion, f1, macro_f1, mean_recall

CLASSES = 4
labels = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(-1, CLASSES - 1)), max_size=40)


@settings(deadline=None)
@given(labels)
def test_they_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    answer, truth = [np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1)]
    matrix = confusion(answer, truth, CLASSES)
    there = truth >= 0
    if not there.any():
        assert matrix.sum() == 0 and np.isnan(macro_f1(matrix)) and np.isnan(mean_recall(matrix))
        return
    expected = sklearn.confusion_matrix(truth[there], answer[there], labels=range(CLASSES))
    assert matrix.tolist() == expected.tolist()
    present = np.unique(truth[there])
    options = {"labels": present, "average": "macro", "zero_division": 0.0}
    assert macro_f1(matrix) == pytest.approx(sklearn.f1_score(truth[there], answer[there], **options))
    assert mean_recall(matrix) == pytest.approx(sklearn.recall_score(truth[there], answer[there], **options))


def test_two_classes_give_the_mean_of_both_rates() -> None:
    truth = np.array([1] * 10 + [0] * 90)
    answer = np.array([1] * 8 + [0] * 2 + [1] * 9 + [0] * 81)
    matrix = confusion(answer, truth, 2)
    assert matrix.tolist() == [[81, 9], [2, 8]]
    assert mean_recall(matrix) == pytest.approx((0.8 + 0.9) / 2)
    assert macro_f1(matrix) == pytest.approx(float(f1(answer, truth).mean()))


def test_a_class_that_nobody_bears_neither_helps_nor_hides_a_mistake() -> None:
    right = confusion([0, 1, 1], [0, 1, 1], 3)
    assert macro_f1(right) == mean_recall(right) == 1.0
    wrong = confusion([0, 1, 2], [0, 1, 1], 3)
    assert mean_recall(wrong) == pytest.approx(0.75) and macro_f1(wrong) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(
    ("answer", "truth", "words"),
    [([0, 1], [0], "two equal lists"), ([0, 3], [0, 1], "0 to 2"), ([0, 1], [0, 3], "0 to 2"), ([-1], [0], "0 to 2")],
)
def test_labels_that_do_not_fit_are_refused(answer: list[int], truth: list[int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        confusion(answer, truth, 3)


def test_what_is_no_matrix_is_refused() -> None:
    for value in (np.zeros((2, 3)), np.zeros(4)):
        with pytest.raises(InputError, match="as many columns as rows"):
            macro_f1(value)
        with pytest.raises(InputError, match="as many columns as rows"):
            mean_recall(value)
