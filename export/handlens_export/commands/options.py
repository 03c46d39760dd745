"""The options that several commands share: one wording, one default type."""

from pathlib import Path
from typing import Annotated

import typer

DATA = Annotated[
    Path | None, typer.Option(help="Folder with the task's data set, in its public layout. Default: HANDLENS_DATA.")
]
DETECTOR = Annotated[Path | None, typer.Option(help="Face detector that finds and aligns faces; for a face verifier.")]
CALIBRATION_IMAGES = Annotated[int, typer.Option(help="Training images to measure ranges on.", min=1)]
CALIBRATION = Annotated[
    Path | None, typer.Option(help="Picked images (handlens calib pick) to measure ranges on, instead of a draw.")
]
MANIFEST = Annotated[
    Path | None, typer.Option(help="JSON that describes a model (as handlens import takes it); not for a run.")
]
IMAGES = Annotated[
    Path | None, typer.Option(help="Folder of training images for a model, never tested ones; not for a run.")
]
EVALUATION = Annotated[
    str | None,
    typer.Option(help="What judges a model: MODULE.py, or a task; else agreement with its float32. Not for a run."),
]
SEED = Annotated[int, typer.Option(help="Of calibration images and fine-tuning.", min=0)]
MAX_MINUTES = Annotated[float, typer.Option(help="Time limit of one fine-tuning.", min=0.01)]
STEPS = Annotated[int | None, typer.Option(help="Batches of fine-tuning at most; 0: one-shot.", min=0)]
