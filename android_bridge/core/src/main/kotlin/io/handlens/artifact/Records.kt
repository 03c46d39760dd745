package io.handlens.artifact

import io.handlens.ManifestInvalid

/**
 * A decision threshold on the score: at or above it two items match.
 *
 * @property targetFmr the false match rate it was chosen for, 0..1.
 * @property value of the score.
 * @property comparisons impostor comparisons behind it.
 * @property low lower end of the 95% interval of the false match rate measured at it.
 * @property high upper end.
 * @throws ManifestInvalid a field breaks a rule.
 */
public data class Threshold(
    public val targetFmr: Double,
    public val value: Double,
    public val comparisons: Long,
    public val low: Double,
    public val high: Double,
) {
    init {
        requireFinite(listOf(targetFmr, value, low, high), "Threshold")
        if (targetFmr !in 0.0..1.0) throw ManifestInvalid("Threshold.target_fmr is $targetFmr; valid: 0 to 1")
        if (comparisons < 0) throw ManifestInvalid("Threshold.comparisons is $comparisons; valid: 0 or more")
        requireInterval("Threshold", low, high)
    }
}

/**
 * A figure measured for this very file, through the runtime.
 *
 * @property dataset such as `market1501`.
 * @property split such as `val` or `test`.
 * @property name such as `rank1` or `mAP`.
 * @property n items (probes, images) behind it.
 * @property value the figure.
 * @property low lower end of its 95% interval.
 * @property high upper end.
 * @property unit `fraction` (0..1) unless it says otherwise.
 * @throws ManifestInvalid a field breaks a rule.
 */
public data class Metric(
    public val dataset: String,
    public val split: String,
    public val name: String,
    public val n: Long,
    public val value: Double,
    public val low: Double,
    public val high: Double,
    public val unit: String = "fraction",
) {
    init {
        requireName(name, "Metric.name")
        requireFinite(listOf(value, low, high), "Metric $name")
        if (n < 0) throw ManifestInvalid("Metric.n is $n; valid: 0 or more")
        requireInterval("Metric $name", low, high)
    }
}

/**
 * The images whose ranges set the scales of a quantized model.
 *
 * @property dataset they come from.
 * @property split they come from; never one that is tested on.
 * @property count of images.
 * @property seed they were picked with.
 * @property imagesSha256 of the prepared images, in order.
 * @property rangesSha256 of the recorded ranges.
 * @throws ManifestInvalid a field breaks a rule.
 */
public data class Calibration(
    public val dataset: String,
    public val split: String,
    public val count: Long,
    public val seed: Long,
    public val imagesSha256: String,
    public val rangesSha256: String,
) {
    init {
        if (count < 1) throw ManifestInvalid("Calibration.count is $count; valid: 1 or more")
    }
}

/**
 * How the model was made small.
 *
 * @property recipe such as `int8` or `pruned50-int8`.
 * @property format of the model part.
 * @property weights their dtype, such as `int8`.
 * @property activations their dtype.
 * @property parameters count of weights.
 * @property sparsity fraction of prunable weights that are zero, 0..1.
 * @property calibration for a statically quantized model.
 * @property notes what else to know.
 * @throws ManifestInvalid a field breaks a rule.
 */
public data class Compression(
    public val recipe: String,
    public val format: ModelKind,
    public val weights: String,
    public val activations: String,
    public val parameters: Long,
    public val sparsity: Double,
    public val calibration: Calibration? = null,
    public val notes: String = "",
) {
    init {
        if (parameters < 0) throw ManifestInvalid("Compression.parameters is $parameters; valid: 0 or more")
        if (sparsity !in 0.0..1.0) throw ManifestInvalid("Compression.sparsity is $sparsity; valid: 0 to 1")
    }
}

/**
 * A data set the weights saw.
 *
 * @property name such as `market1501`.
 * @property licence as far as known, such as `research only`.
 * @property split the part that was used.
 * @property sha256 of the list of files (or of the images) used; empty when unknown.
 * @throws ManifestInvalid a field breaks a rule.
 */
public data class DataSource(
    public val name: String,
    public val licence: String,
    public val split: String,
    public val sha256: String,
) {
    init {
        if (name.isBlank() || licence.isBlank()) {
            throw ManifestInvalid("DataSource is '$name' under '$licence'; both need a name")
        }
    }
}

/**
 * Where the weights came from.
 *
 * @property data every data set behind them, pretraining included.
 * @property weightsLicence what the data leaves of a licence for the weights.
 * @property seed of the training run.
 * @property run its name.
 * @property trainedSeconds wall time.
 * @property versions package name to version.
 * @property source what else to know, such as the pretrained weights it started from.
 * @throws ManifestInvalid a field breaks a rule.
 */
public data class Provenance(
    public val data: List<DataSource>,
    public val weightsLicence: String,
    public val seed: Long,
    public val run: String,
    public val trainedSeconds: Double,
    public val versions: Map<String, String> = emptyMap(),
    public val source: String = "",
) {
    init {
        requireFinite(listOf(trainedSeconds), "Provenance.trained_seconds")
        if (trainedSeconds < 0) {
            throw ManifestInvalid("Provenance.trained_seconds is $trainedSeconds; valid: 0 or more")
        }
    }
}

/**
 * How far the exported model's float outputs are from the Keras source's, on the same inputs.
 *
 * @throws ManifestInvalid a figure is negative.
 */
public data class Parity(public val maxAbsError: Double, public val tolerance: Double) {
    init {
        requireFinite(listOf(maxAbsError, tolerance), "Parity")
        if (maxAbsError < 0 || tolerance < 0) {
            throw ManifestInvalid("Parity is $maxAbsError within $tolerance; both must be 0 or more")
        }
    }
}

private fun requireInterval(where: String, low: Double, high: Double) {
    if (low > high) throw ManifestInvalid("$where: the interval $low to $high is upside down")
}
