"""What the words on the page mean, for a reader who was handed the file."""

TERMS = (
    ("rank-k", "Share of probes whose right identity is among the first k gallery images, most similar first."),
    ("mAP", "Mean over probes of average precision: 1 when all right gallery images come first."),
    ("accuracy", "Share of items that the model labels rightly."),
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
