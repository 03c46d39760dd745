package io.handlens.engine

/**
 * One output of one golden, replayed.
 *
 * @property generator of the golden's input.
 * @property seed of the golden's input.
 * @property output its name.
 * @property maxAbsError the largest absolute error, in float (dequantized) units; infinite where an answer is not
 *     finite.
 * @property allowed the most that the manifest's tolerance allows.
 */
public data class GoldenRow(
    public val generator: String,
    public val seed: Long,
    public val output: String,
    public val maxAbsError: Double,
    public val allowed: Double,
) {
    /** Whether the error is within what is allowed; NaN never is. */
    public val passed: Boolean get() = maxAbsError <= allowed
}

/** The outcome of a replay, a row for each golden and output. */
public data class GoldenVerdict(public val rows: List<GoldenRow>) {
    /** Whether there are rows and all of them passed. */
    public val passed: Boolean get() = rows.isNotEmpty() && rows.all { it.passed }

    /** The row that comes closest to failing, or fails by most; null where there is none. */
    public val worst: GoldenRow? get() = rows.maxByOrNull { it.maxAbsError / maxOf(it.allowed, 1e-30) }
}
