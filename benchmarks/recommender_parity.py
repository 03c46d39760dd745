"""How far artifacts of a recommender are from scikit-learn's responsibilities, over every user of a data set.

    python benchmarks/recommender_parity.py RUN ARTIFACT... --data DATA

RUN is the run that the artifacts were exported from. scikit-learn's `GaussianMixture.predict_proba` is asked in
float64, each artifact on every engine that is installed for its kind; for the profiles that the mixture was fitted on
(the training part of the ratings), and for those of all ratings.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.mixture import GaussianMixture

from handlens import _vector
from handlens.artifact import Artifact
from handlens.engine import open_engine
from handlens.errors import EngineUnavailable
from handlens_data.datasets import movielens
from handlens_train.recommender_data import profiles
from handlens_train.recommender_mixture import Mixture
from handlens_train.recommender_training import MIXTURE

ENGINES = {"tflite": ("litert", "tflite-runtime"), "onnx": ("onnxruntime",)}


def reference(mixture: Mixture, values: np.ndarray) -> np.ndarray:
    """(N, K) responsibilities by scikit-learn, float64."""
    model = GaussianMixture(len(mixture.weights), covariance_type="full")
    model.weights_, model.means_, model.precisions_cholesky_ = mixture.weights, mixture.means, mixture.factors
    return model.predict_proba(values)


def answers(artifact: Artifact, engine: str, values: np.ndarray) -> np.ndarray:
    """(N, K) responsibilities by an artifact."""
    spec, output = artifact.manifest.input, artifact.manifest.outputs[0].name
    opened = open_engine(artifact, engine)
    try:
        logs = [opened.run({spec.name: _vector.to_tensor(row, spec)})[output][0].astype(np.float64) for row in values]
    finally:
        opened.close()
    return np.exp(np.stack(logs))


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("artifacts", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    mixture, data = Mixture.load(given.run / MIXTURE), movielens.load(given.data)
    wanted = {"training part": data.part("train"), "all ratings": data.part(*movielens.PARTS)}
    values = {name: profiles(ratings, data.movies).values for name, ratings in wanted.items()}
    print(f"{'artifact':<36} {'engine':<15} {'profiles of':<14} users  largest difference  same cluster")
    for path in given.artifacts:
        artifact = Artifact.open(path)
        for engine in ENGINES[artifact.kind]:
            for name, rows in values.items():
                try:
                    got = answers(artifact, engine, rows)
                except EngineUnavailable:
                    break
                truth = reference(mixture, rows)
                same = int((got.argmax(axis=1) == truth.argmax(axis=1)).sum())
                worst = np.abs(got - truth).max()
                print(f"{path.name:<36} {engine:<15} {name:<14} {len(rows):>5}  {worst:>18.2e}  {same:>12}")


if __name__ == "__main__":
    main()
