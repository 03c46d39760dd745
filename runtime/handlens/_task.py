"""What every task class shares: opening an artifact of its task, and closing it."""

from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from handlens.artifact import Artifact
from handlens.engine import Engine, open_engine
from handlens.errors import ManifestInvalid, OptionError
from handlens.manifest import Manifest, OutputSpec


class Task:
    """A model of one task on an engine. Use it as a context manager, or call `close`.

    Attributes:
        task: the name that the manifest of its artifacts bears.
    """

    task: ClassVar[str]

    def __init__(self, engine: Engine, manifest: Manifest) -> None:
        """Takes an opened engine; use `load` for a file.

        Raises:
            OptionError: the manifest is of another task.
            ManifestInvalid: its outputs are not those of the task.
        """
        self._check(manifest, f"the artifact {manifest.name}")
        self._engine = engine
        self._manifest = manifest

    @classmethod
    def load(cls, path: str | Path, *, engine: str | None = None, threads: int = 1) -> Self:
        """Opens an artifact, after its golden vectors were answered rightly on this engine and machine.

        Args:
            path: of the `.tflite` or `.onnx` artifact.
            engine: "litert", "tflite-runtime" or "onnxruntime"; None for the default of the file's kind.
            threads: for the engine to use.

        Raises:
            ArtifactError: the file is damaged, too new, or no artifact.
            EngineError: the engine is missing, or answers wrongly.
            OptionError: the artifact is of another task, or the engine does not read its kind.
        """
        return cls(*cls._open(path, engine, threads))

    @property
    def model_id(self) -> str:
        """Identifies the model; templates of different models cannot be compared."""
        return self._manifest.model_id

    @property
    def engine(self) -> str:
        """Name and version of the engine that runs the model."""
        return f"{self._engine.name} {self._engine.version}"

    @property
    def manifest(self) -> Manifest:
        """What the artifact says about itself."""
        return self._manifest

    def close(self) -> None:
        """Releases the engine."""
        self._engine.close()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Releases the engine."""
        self.close()

    @classmethod
    def _open(cls, path: str | Path, engine: str | None, threads: int) -> tuple[Engine, Manifest]:
        artifact = Artifact.open(path)
        cls._check(artifact.manifest, path)
        return open_engine(artifact, engine, threads), artifact.manifest

    @classmethod
    def _check(cls, manifest: Manifest, what: str | Path) -> None:
        """Refuses (OptionError) what is no artifact for this class; `what` names it."""
        if manifest.task != cls.task:
            raise OptionError(f"{what} is for the task {manifest.task!r}; expected {cls.task!r}")


def only_output(manifest: Manifest, what: str) -> OutputSpec:
    """Returns the one output of a model.

    Raises:
        ManifestInvalid: it has several; `what` names the one that was expected.
    """
    if len(manifest.outputs) != 1:
        names = ", ".join(spec.name for spec in manifest.outputs)
        raise ManifestInvalid(f"a {manifest.task} model has one output, {what}; this one has {names}")
    return manifest.outputs[0]
