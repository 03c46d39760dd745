"""Face and person vision for small devices: what runs on the device.

    from handlens import PersonReidentifier

    with PersonReidentifier.load("person.tflite") as reid:
        templates = reid.embed(["a.jpg", "b.jpg"])   # (2, D) float32, L2-normalised

Names load when first used, so that `import handlens` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handlens.artifact import Artifact, update_manifest, write_artifact
    from handlens.engine import Engine, open_engine, open_model
    from handlens.errors import HandlensError
    from handlens.face import Face, FaceDetector, FaceVerifier, Gender, GenderClassifier
    from handlens.gallery import Gallery, Match
    from handlens.image import load_image, preprocess
    from handlens.manifest import Manifest
    from handlens.person import AttributeClassifier, Attributes, PersonReidentifier
    from handlens.recommend import ClusterRecommender, Recommendation
    from handlens.segment import Segmentation, Segmenter

__all__ = [
    "Artifact",
    "AttributeClassifier",
    "Attributes",
    "ClusterRecommender",
    "Engine",
    "Face",
    "FaceDetector",
    "FaceVerifier",
    "Gallery",
    "Gender",
    "GenderClassifier",
    "HandlensError",
    "Manifest",
    "Match",
    "PersonReidentifier",
    "Recommendation",
    "Segmentation",
    "Segmenter",
    "load_image",
    "open_engine",
    "open_model",
    "preprocess",
    "update_manifest",
    "write_artifact",
]

_HOME = {
    "Artifact": "artifact",
    "AttributeClassifier": "person",
    "Attributes": "person",
    "ClusterRecommender": "recommend",
    "Engine": "engine",
    "Face": "face",
    "FaceDetector": "face",
    "FaceVerifier": "face",
    "Gallery": "gallery",
    "Gender": "face",
    "GenderClassifier": "face",
    "HandlensError": "errors",
    "Manifest": "manifest",
    "Match": "gallery",
    "PersonReidentifier": "person",
    "Recommendation": "recommend",
    "Segmentation": "segment",
    "Segmenter": "segment",
    "load_image": "image",
    "open_engine": "engine",
    "open_model": "engine",
    "preprocess": "image",
    "update_manifest": "artifact",
    "write_artifact": "artifact",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("handlens")
        except PackageNotFoundError:  # run from a source tree that is not installed
            return "0+source"
    if name not in _HOME:
        raise AttributeError(f"module 'handlens' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"handlens.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
