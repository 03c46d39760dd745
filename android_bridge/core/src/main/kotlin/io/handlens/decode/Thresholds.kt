package io.handlens.decode

import io.handlens.RateUnsupported
import io.handlens.artifact.Manifest
import io.handlens.artifact.Threshold
import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.max

/** Which threshold of a manifest stands for a false match rate. */
internal object Thresholds {
    // With N comparisons and not one error, the 95% upper bound of the rate is 3 / N.
    private const val RULE_OF_THREE = 3.0
    private const val ROUNDING = 1e-9
    private const val CLOSE = 1e-6

    /**
     * @param fmr the false match rate wanted.
     * @throws RateUnsupported the manifest has none for it, or too few comparisons behind it.
     */
    fun of(manifest: Manifest, fmr: Double): Threshold =
        manifest.thresholds.firstOrNull { close(it.targetFmr, fmr) && supports(it) }
            ?: throw RateUnsupported(unsupported(manifest, fmr))

    private fun close(first: Double, second: Double): Boolean =
        first == second || abs(first - second) <= CLOSE * max(abs(first), abs(second))

    private fun supports(limit: Threshold): Boolean =
        limit.targetFmr > 0 && limit.comparisons * limit.targetFmr >= RULE_OF_THREE - ROUNDING

    private fun unsupported(manifest: Manifest, fmr: Double): String {
        val rates = manifest.thresholds.filter(::supports).map { "${it.targetFmr} (${it.comparisons} comparisons)" }
        val needed = if (fmr > 0 && fmr < 1) {
            "; $fmr needs at least ${ceil(RULE_OF_THREE / fmr).toLong()} comparisons"
        } else {
            ""
        }
        return "${manifest.name} ${manifest.version} has no threshold for a false match rate of $fmr; measured ones: " +
            "${rates.joinToString().ifEmpty { "none" }}$needed; choose one of those rates, or evaluate the file on " +
            "more people"
    }
}
