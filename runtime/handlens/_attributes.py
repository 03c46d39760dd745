"""AttributeClassifier: what a crop of a person looks like, one answer a head (gender, torso, legs, luggage)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from handlens import _codec
from handlens._colour import colour_tensor
from handlens._task import Task
from handlens.engine import Engine
from handlens.errors import EngineWrong, ImageError, InputError, ManifestInvalid
from handlens.image import Source
from handlens.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Attribute:
    """The answer of one head.

    Attributes:
        label: the likeliest of the head's labels.
        confidence: how sure the model is of it, 0..1.
        confidences: of every label of the head; they sum to 1.
    """

    label: str
    confidence: float
    confidences: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Attributes:
    """What one person looks like, by head: `found["torso_colour"].label`.

    Attributes:
        heads: the answer of each head, in the model's order.
    """

    heads: Mapping[str, Attribute]

    def __getitem__(self, head: str) -> Attribute:
        """Returns the answer of a head.

        Raises:
            InputError: the model has no such head; its heads are listed.
        """
        if head not in self.heads:
            raise InputError(f"the model has no head {head!r}; it has {', '.join(self.heads)}")
        return self.heads[head]

    def __iter__(self) -> Iterator[str]:
        """Returns the names of the heads."""
        return iter(self.heads)

    def labels(self) -> dict[str, str]:
        """Returns the likeliest label of each head."""
        return {head: answer.label for head, answer in self.heads.items()}

    def confidences(self) -> dict[str, dict[str, float]]:
        """Returns the confidence in every label of each head; those of a head sum to 1."""
        return {head: dict(answer.confidences) for head, answer in self.heads.items()}


class AttributeClassifier(Task):
    """Says what people look like on crops of them, with an attribute artifact.

    The heads and their labels come from the artifact: gender, torso_type, torso_colour, leg_type, leg_colour and
    luggage in the zoo's. Every head answers, whatever the image shows: read the confidence, and find the person first.
    """

    task: ClassVar[str] = "attributes"

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        """Takes an opened engine; use `load` for a file.

        Raises:
            OptionError: the manifest is of another task.
            ManifestInvalid: its decoding does not name a label for each logit of each output.
        """
        super().__init__(engine, manifest)
        decoding = _codec.build(_Decoding, manifest.decoding, "manifest.decoding")
        self._labels = _labels(manifest, decoding)
        self._mirror = decoding.mirror

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Head to its labels."""
        return dict(self._labels)

    def classify(self, crops: Sequence[Source]) -> list[Attributes]:
        """Says what each person looks like.

        Args:
            crops: of persons, each filling its crop: files, bytes of files, or uint8 arrays (H, W, 3) in RGB order, of
                any size.

        Returns:
            One answer a crop, in their order.

        Raises:
            ImageError: a crop cannot be used, a grey one for a colour model among them; the message says which.
            InputError: `crops` is one image, not several.
            EngineWrong: the model's answer is not finite.
            EngineError: the engine failed, or is closed.
        """
        if isinstance(crops, (str, bytes, Path)) or (isinstance(crops, np.ndarray) and crops.ndim < 4):
            raise InputError("classify takes several crops; put the one in a list: classify([crop])")
        return [self._classify(crop, index) for index, crop in enumerate(crops)]

    def _classify(self, crop: Source, index: int) -> Attributes:
        spec = self._manifest.input
        try:
            tensor = colour_tensor(crop, spec, "names")
        except ImageError as error:
            raise type(error)(f"crop {index}: {error}") from None
        # A mirror turns the axis of columns.
        columns = 2 if spec.layout == "NHWC" else 3
        views = (tensor, np.ascontiguousarray(np.flip(tensor, columns))) if self._mirror else (tensor,)
        found = [self._engine.run({spec.name: view}) for view in views]
        heads = {}
        for head, labels in self._labels.items():
            logits = np.mean([answer[head].reshape(-1).astype(np.float64) for answer in found], axis=0)
            if not np.isfinite(logits).all():
                raise EngineWrong(f"crop {index}: {head} is not finite on {self.engine}; run: handlens check FILE")
            raised = np.exp(logits - logits.max())
            sure = (raised / raised.sum()).tolist()
            best = int(logits.argmax())
            heads[head] = Attribute(labels[best], sure[best], dict(zip(labels, sure, strict=True)))
        return Attributes(heads)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoding:
    """What an attribute manifest says in `decoding`.

    Attributes:
        kind: always "heads".
        labels: of each head, in the order of its logits.
        mirror: the logits are the mean of those of the crop and of its mirror; the model runs twice a crop.
    """

    kind: Literal["heads"]
    labels: dict[str, tuple[str, ...]]
    mirror: bool = False


def _labels(manifest: Manifest, decoding: _Decoding) -> dict[str, tuple[str, ...]]:
    shapes = {output.name: output.shape for output in manifest.outputs}
    if shapes.keys() != decoding.labels.keys():
        raise ManifestInvalid(
            f"decoding.labels names {', '.join(decoding.labels) or 'no head'}; the outputs are {', '.join(shapes)}"
        )
    for head, labels in decoding.labels.items():
        if int(np.prod(shapes[head])) != len(labels) or len(set(labels)) != len(labels):
            raise ManifestInvalid(
                f"decoding.labels.{head} has {len(labels)} labels, output {head} has shape {shapes[head]}; expected "
                "one label a logit, each once"
            )
    return {head: decoding.labels[head] for head in shapes}
