"""What the words on the page mean, for a reader who was handed the file."""

from collections.abc import Sequence

from handlens_export.report.rows import ReportRow

# Words of a task, each with the metric names (or their beginnings) that bring it onto the page.
OF_METRICS = (
    (
        "rank-k",
        "Share of probes whose right identity is among the first k gallery images, most similar first.",
        ("rank",),
    ),
    ("mAP", "Mean over probes of average precision: 1 when all right gallery images come first.", ("mAP",)),
    ("accuracy", "Share of items (of pairs, in verification) that the model decides rightly.", ("accuracy",)),
    ("mean accuracy", "The mean over the heads of the share of labels that the head gives rightly.", ("mean_acc",)),
    (
        "macro F1, mean recall",
        "F1 (of precision and recall) and recall of each class, their mean over the classes that occur: a rare class "
        "weighs as much as a common one. With two classes the mean recall is the mA of pedestrian attributes.",
        ("macro_f1",),
    ),
    (
        "AP",
        "Average precision: the area under precision against recall of all detections, best score first, all points. "
        "Right is a detection that overlaps a face not yet found by an IoU of 0.5. Faces lower than the stated height "
        "neither reward nor punish.",
        ("ap",),
    ),
    (
        "FMR, FNMR, TAR",
        "False match rate: the share of comparisons of two people that pass the threshold. False non-match rate: the "
        "share of comparisons of one person that do not. TAR is 1 less FNMR.",
        ("fnmr", "tar", "eer", "fmr"),
    ),
    ("EER", "Equal error rate: where FMR and FNMR are the same.", ("eer",)),
    (
        "rule of three",
        "After N comparisons without an error the rate may still be 3 / N (95%): a lower one is not carried by them.",
        ("fnmr", "tar", "eer", "fmr"),
    ),
)
PEER = ("peer", "An imported model that handlens did not train, measured by the same code on the same items.")
TOO_FEW = ("too few", "So few items that any figure would say more about chance than about the model.")
DEVICES = (
    (
        "cold, first",
        "On a device: from opening the file to the first answer in a fresh process; and of that, the first run.",
    ),
    (
        "whole",
        "The whole way: decode a JPEG of the input's size, prepare it, run the model, make the task's answer of it.",
    ),
    ("slowdown", "After minutes without a pause: median time in the last ten seconds over that in the first ten."),
)
TERMS = (
    (
        "95% interval",
        "From 2,000 bootstrap resamples of the tested items (of identities where items share one). Two files "
        "with overlapping intervals may still differ for sure: they saw the same items, so read the paired difference.",
    ),
    (
        "Δ float32",
        "The metric minus that of the same model in float32 (same format, else tflite), in points: hundredths. "
        "Its interval, where shown, pairs the outcomes item by item. Marked when the loss exceeds the budget.",
    ),
    ("budget", "The loss against float32 that is accepted, in points of the first metric; --max-drop sets it."),
    (
        "Pareto front",
        "The artifacts that no other beats in cost without losing accuracy. The rest are never the best choice "
        "on that plot, within the intervals.",
    ),
    (
        "p50, p90",
        "Median and 90th percentile of the time of one run of the model alone, batch 1, 1 thread, no image decoding.",
    ),
    (
        "time, × float32",
        "The artifacts take turns, round after round, in a new order each round. The ratio is taken within a "
        "round and its median reported, so another program's load weighs on both sides.",
    ),
    (
        "≈",
        "A wide spread, p90 beyond 1.5 times p50: the host was busy. Trust the ratio more than the milliseconds.",
    ),
    (
        "memory",
        "Resident peak of a fresh process that loads the engine and the file and runs it, the interpreter included.",
    ),
    (
        "size, gzip",
        "Bytes of the whole file: model, manifest, golden vectors. gzip -9 of the same: only there zeros pay.",
    ),
    ("float32, float16", "Weights and arithmetic in 32-bit floats; weights stored in 16 bits."),
    ("dynamic", "Weights in 8-bit integers, activations quantized while running."),
    (
        "int8",
        "Weights and activations in 8-bit integers with scales fixed from calibration images of the training split.",
    ),
    ("qat-int8", "int8 after further training with quantization simulated."),
    ("pruned50", "Half of the prunable weights set to zero, the smallest first, then trained further."),
    ("golden vectors", "Inputs with known outputs in the file; an engine that answers otherwise is refused."),
)


def terms_for(rows: Sequence[ReportRow], *, devices: bool = False) -> tuple[tuple[str, str], ...]:
    """The words that a page with these artifacts uses; `devices`: it has a table of them."""
    measured = [m for row in rows for m in row.measured]
    names = tuple({score.name for m in measured for score in m.scores})
    own = tuple((word, text) for word, text, keys in OF_METRICS if any(name.startswith(keys) for name in names))
    apart = any(row.value is None for m in measured for table in m.breakdowns for row in table.rows)
    peers = any(row.foreign for row in rows)
    some = (TOO_FEW,) * apart + (PEER,) * peers + DEVICES * devices
    return own + some + TERMS
