"""What an artifact says about itself: the frozen, validated `Manifest` and its parts.

It is JSON inside the file (`manifest.json`) and holds everything a device needs to use the model: how to make the
input, what the outputs mean, what was measured for this very file, and where it came from. A user never passes mean,
std or a threshold.
"""

import json
import re
from dataclasses import dataclass, field

from handlens import _codec
from handlens._records import Calibration, Compression, DataSource, Metric, Parity, Provenance, Threshold
from handlens._tensors import INTEGER_RANGE, Dtype, InputSpec, OutputSpec, Tolerance
from handlens.errors import ManifestInvalid, SchemaTooNew

__all__ = [
    "INTEGER_RANGE",
    "SCHEMA",
    "Calibration",
    "Compression",
    "DataSource",
    "Dtype",
    "InputSpec",
    "Manifest",
    "Metric",
    "OutputSpec",
    "Parity",
    "Provenance",
    "Threshold",
    "Tolerance",
]

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an artifact says about itself. Build it in Python or with `from_json`; change it with `dataclasses.replace`.

    Attributes:
        schema: version of this format.
        task: such as "reid"; decides who can load the artifact.
        name: of the model.
        version: of the model.
        model_id: first 32 hex digits of the SHA-256 of the model part; `write_artifact` fills it in.
        input: the one input.
        outputs: by name; at least one.
        labels: class names, in the order of the output they name.
        decoding: what else a task needs to read the outputs (strides, anchors, ...): plain JSON.
        thresholds: one for each target false match rate.
        metrics: measured for this file.
        compression: how it was made small.
        provenance: data, licence, versions.
        parity: of the conversion, where it was measured.
    """

    schema: int = SCHEMA
    task: str
    name: str
    version: str
    model_id: str = ""
    input: InputSpec
    outputs: tuple[OutputSpec, ...]
    labels: tuple[str, ...] = ()
    decoding: dict[str, object] = field(default_factory=dict)
    thresholds: tuple[Threshold, ...] = ()
    metrics: tuple[Metric, ...] = ()
    compression: Compression
    provenance: Provenance
    parity: Parity | None = None

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            SchemaTooNew: the schema is newer than this handlens.
            ManifestInvalid: a field breaks a rule.
        """
        _check_schema(self.schema)
        _codec.normalise(self)
        for what, text in (("task", self.task), ("name", self.name), ("version", self.version)):
            if not text.strip():
                raise ManifestInvalid(f"Manifest.{what} is empty; expected a name")
        if self.model_id and not re.fullmatch(r"[0-9a-f]{32}", self.model_id):
            raise ManifestInvalid(f"Manifest.model_id is {self.model_id[:80]!r}; expected 32 hex digits")
        names = [output.name for output in self.outputs]
        if not names or len(set(names)) != len(names):
            raise ManifestInvalid(f"Manifest.outputs are {names}; expected at least one, each with its own name")

    def to_json(self) -> str:
        """Returns JSON text that `from_json` turns into an equal manifest."""
        return json.dumps(_codec.to_plain(self), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Reads a manifest.

        Raises:
            SchemaTooNew: it was written by a newer handlens.
            ManifestInvalid: it is not JSON, has unknown or missing keys, or a field breaks a rule.
        """
        data = _codec.parse_json(text, "the manifest")
        if not isinstance(data, dict):
            raise ManifestInvalid(f"the manifest is {ascii(data)[:80]}; expected an object")
        if "schema" not in data:
            raise ManifestInvalid("the manifest lacks schema")
        _check_schema(data["schema"])  # first: a newer schema's unknown keys are no mistake
        return _codec.build(cls, data, "manifest")


def _check_schema(schema: object) -> None:
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ManifestInvalid(f"Manifest.schema is {ascii(schema)[:80]}; expected {SCHEMA}")
    if schema > SCHEMA:
        raise SchemaTooNew(
            f"the manifest has schema {schema}; this handlens reads up to {SCHEMA}; "
            "upgrade it with: pip install -U handlens"
        )
