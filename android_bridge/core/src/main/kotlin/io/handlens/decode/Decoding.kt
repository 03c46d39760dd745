package io.handlens.decode

import io.handlens.ManifestInvalid
import io.handlens.artifact.Fields
import io.handlens.artifact.JsonValue
import io.handlens.artifact.Manifest
import io.handlens.artifact.OutputSpec

/**
 * What a face detector's manifest says in `decoding`.
 *
 * @property kind of decoder: `cells` is that of this house; the others are foreign models'.
 * @property strides of the cells, in input pixels, in the order of the outputs.
 * @property anchors a cell, one number for each stride; `blazeface` alone.
 * @property scoreThreshold unless the caller gives another, 0..1.
 * @property nmsIou unless the caller gives another, 0..1.
 * @property weighted whether the mean of detections that overlap is taken, weighted by score; else the best stays.
 * @property outputs the decoder's name of an output to the model's, where they differ.
 * @throws ManifestInvalid a field breaks a rule.
 */
internal class Decoding private constructor(
    val kind: String,
    val strides: List<Int>,
    val anchors: List<Int>,
    val scoreThreshold: Double,
    val nmsIou: Double,
    val weighted: Boolean,
    val outputs: Map<String, String>,
) {
    init {
        if (strides.isEmpty() || strides.any { it < 1 }) {
            throw ManifestInvalid("decoding.strides is $strides; expected at least one, each of 1 or more")
        }
        if (anchors.isNotEmpty() && (anchors.size != strides.size || anchors.any { it < 1 })) {
            throw ManifestInvalid("decoding.anchors is $anchors; expected one number for each of $strides")
        }
        for ((what, value) in listOf("score_threshold" to scoreThreshold, "nms_iou" to nmsIou)) {
            if (value !in 0.0..1.0) throw ManifestInvalid("decoding.$what is $value; valid: 0 to 1")
        }
    }

    /**
     * The model's output that a decoder needs, of a shape it can read.
     *
     * @throws ManifestInvalid there is none, or it has another shape.
     */
    fun named(manifest: Manifest, name: String, shape: List<Int>): String = optional(manifest, name, shape)
        ?: throw ManifestInvalid(
            "the decoding $kind needs an output '$name' of shape $shape; the model has ${shapes(manifest.outputs)}; " +
                "where it bears another name, say so: \"decoding\": {\"outputs\": {\"$name\": \"ITS NAME\"}}",
        )

    /**
     * The model's output that a decoder can do without; null where there is none.
     *
     * @throws ManifestInvalid it has another shape.
     */
    fun optional(manifest: Manifest, name: String, shape: List<Int>): String? {
        val found = manifest.output(outputs[name] ?: name) ?: return null
        if (found.shape != shape) {
            throw ManifestInvalid(
                "output ${found.name} has shape ${found.shape}; the decoding $kind with strides $strides on " +
                    "${manifest.input.height} x ${manifest.input.width} needs $shape",
            )
        }
        return found.name
    }

    companion object {
        private val KINDS = listOf("cells", "yunet", "blazeface")
        private const val SCORE_THRESHOLD = 0.5
        private const val NMS_IOU = 0.4

        /**
         * Reads a manifest's `decoding`.
         *
         * @throws ManifestInvalid it is missing or breaks a rule.
         */
        fun of(manifest: Manifest): Decoding {
            val optional = "anchors score_threshold nms_iou nms outputs"
            val fields = Fields(manifest.decoding, "manifest.decoding", "kind strides", optional)
            return Decoding(
                kind = fields.word("kind", KINDS),
                strides = fields.list("strides", ::int),
                anchors = fields.list("anchors", ::int),
                scoreThreshold = fields.number("score_threshold", SCORE_THRESHOLD),
                nmsIou = fields.number("nms_iou", NMS_IOU),
                weighted = fields.word("nms", listOf("best", "weighted"), "best") == "weighted",
                outputs = fields.texts("outputs"),
            )
        }

        private fun int(value: JsonValue, where: String): Int = Fields.clip(Fields.whole(value, where))

        private fun Fields.number(key: String, default: Double): Double = if (key in this) number(key) else default
    }
}

/** One of a few words; [default] where the key is missing. */
internal fun Fields.word(key: String, valid: List<String>, default: String? = null): String =
    choice(key, valid, { it }, default)

/** An object of texts; empty where the key is missing. */
internal fun Fields.texts(key: String): Map<String, String> {
    if (key !in this) return emptyMap()
    return Fields.map(value(key), place(key)) { value, where -> Fields.text(value, where) }
}

/** For messages: each output and its shape. */
internal fun shapes(outputs: List<OutputSpec>): String = outputs.joinToString { "${it.name} ${it.shape}" }
