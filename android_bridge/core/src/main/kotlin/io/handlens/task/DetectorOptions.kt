package io.handlens.task

import io.handlens.OptionError

/**
 * How a detector reads its model's answer.
 *
 * @property scoreThreshold faces of a lower score are dropped, 0..1; null for the manifest's.
 * @property nmsIou of two boxes that overlap by more than this intersection over union the better stays, 0..1; null for
 *   the manifest's.
 * @property maxFaces the best so many are returned.
 * @property minSize faces whose box is narrower or lower than so many pixels of the image are dropped.
 * @throws OptionError a value lies outside its range.
 */
public data class DetectorOptions(
    public val scoreThreshold: Double? = null,
    public val nmsIou: Double? = null,
    public val maxFaces: Int = MAX_FACES,
    public val minSize: Double = 0.0,
) {
    init {
        for ((what, value) in listOf("scoreThreshold" to scoreThreshold, "nmsIou" to nmsIou)) {
            if (value != null && value !in 0.0..1.0) throw OptionError("$what is $value; valid: 0 to 1")
        }
        if (maxFaces < 1) throw OptionError("maxFaces is $maxFaces; valid: 1 or more")
        if (!(minSize >= 0 && minSize < Double.POSITIVE_INFINITY)) {
            throw OptionError("minSize is $minSize; valid: 0 or more pixels")
        }
    }

    internal companion object {
        const val MAX_FACES: Int = 200
    }
}
