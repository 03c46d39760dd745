"""What an export achieved, as a table for a person."""

from rich.console import Console
from rich.table import Table

from handlens_export.door import Outcome
from handlens_export.gate import Verdict


def show(outcome: Outcome) -> None:
    """Prints a row for each artifact written and each held back."""
    table = Table(title="exported", title_justify="left")
    for header in ("artifact", "bytes", "metric", "value", "drop, points (95%)", "zero weights"):
        table.add_column(header, justify="left" if header in ("artifact", "metric") else "right", overflow="fold")
    for item in outcome.written:
        artifact, evaluation = item.artifact, item.evaluation
        metric = evaluation.metrics[evaluation.primary]
        drop = "" if item.verdict is None else _drop(item.verdict)
        table.add_row(
            artifact.path.name,
            f"{artifact.size:,}",
            f"{evaluation.primary} on {evaluation.split}, n={evaluation.n}",
            f"{metric.value:.4f}",
            drop,
            f"{artifact.manifest.compression.sparsity:.1%}",
        )
    for verdict in outcome.refused:
        table.add_row(
            f"[red]{verdict.name}: not written[/red]",
            "",
            f"{verdict.primary} on {verdict.split}",
            "",
            f"[red]{_drop(verdict)}[/red]",
            "",
        )
    console = Console()
    if not console.is_terminal:
        console.width = 140  # a file or a pipe has no width of its own, and 80 columns would fold every name
    console.print(table)


def _drop(verdict: Verdict) -> str:
    drop = verdict.drop
    return f"{drop.value:+.2f} ({drop.low:+.2f} to {drop.high:+.2f})"
