package io.handlens.decode

import io.handlens.ManifestInvalid
import io.handlens.artifact.Fields
import io.handlens.artifact.Fit
import io.handlens.artifact.Manifest
import io.handlens.artifact.OutputSpec

/**
 * What a segmenter's manifest says in `decoding`.
 *
 * @property logits whether the model gives logits (a softmax over classes then); else it gives probabilities.
 * @property labelsOf the output whose values the manifest's labels name: `classes`, `class`, or null.
 * @property mask the output of the foreground's scores.
 * @property classes the output of the classes' scores, background first; null where there is none.
 * @property image the output of the classes of the image as a whole; null where there is none.
 */
internal class MaskDecoding private constructor(
    val logits: Boolean,
    val labelsOf: String?,
    val mask: OutputSpec,
    val classes: OutputSpec?,
    val image: OutputSpec?,
) {
    /** Height and width of the map of [mask]: (1, h, w, 1), (1, 1, h, w) or (1, h, w). */
    val mapSize: Pair<Int, Int> = mask.shape.drop(1).let { inner ->
        val plane = if (inner.size < 3) inner else if (inner[2] == 1) inner.take(2) else inner.drop(1)
        plane[0] to plane[1]
    }

    companion object {
        const val KIND: String = "mask"
        private const val MAX_CLASSES = 255
        private val PARTS = listOf("mask", "classes", "class")
        private val FITS = listOf(Fit.RESIZE, Fit.LETTERBOX, Fit.CROP)

        /**
         * Reads a manifest's `decoding`.
         *
         * @throws ManifestInvalid it is missing or breaks a rule, or geometry, an output or the labels do not fit it.
         */
        fun of(manifest: Manifest): MaskDecoding {
            if (manifest.input.fit !in FITS) {
                throw ManifestInvalid(
                    "the input's geometry is ${manifest.input.fit.name.lowercase()}; a segmenter takes resize, " +
                        "letterbox, crop",
                )
            }
            val fields = Fields(manifest.decoding, "manifest.decoding", "kind", "activation labels_of outputs")
            fields.word("kind", listOf(KIND))
            val names = fields.texts("outputs")
            val unknown = (names.keys - PARTS.toSet()).minOrNull()
            if (unknown != null) {
                throw ManifestInvalid("decoding.outputs names '$unknown'; valid: ${PARTS.joinToString()}")
            }
            val parts = PARTS.associateWith { manifest.output(names[it] ?: it) }
            val labelsOf = fields.optional("labels_of") { fields.word("labels_of", listOf("classes", "class")) }
            val mask = fitted(manifest, parts["mask"])
            checkClasses(parts["classes"])
            if (labelsOf != null) checkLabels(manifest, labelsOf, parts[labelsOf])
            val activation = fields.word("activation", listOf("sigmoid", "none"), "sigmoid")
            return MaskDecoding(activation == "sigmoid", labelsOf, mask, parts["classes"], parts["class"])
        }

        private fun fitted(manifest: Manifest, mask: OutputSpec?): OutputSpec {
            if (mask != null && mask.shape.count { it > 1 } <= 2 && mask.shape.size in 3..4) return mask
            throw ManifestInvalid(
                "the decoding mask needs an output 'mask' of shape (1, h, w, 1); the model has " +
                    "${shapes(manifest.outputs)}; where it bears another name, say so: " +
                    "\"decoding\": {\"outputs\": {\"mask\": \"ITS NAME\"}}",
            )
        }

        private fun checkClasses(classes: OutputSpec?) {
            if (classes == null || (classes.shape.size == 4 && classes.shape[3] in 2..MAX_CLASSES)) return
            throw ManifestInvalid(
                "output ${classes.name} has shape ${classes.shape}; expected (1, h, w, K), K of 2 to $MAX_CLASSES",
            )
        }

        private fun checkLabels(manifest: Manifest, labelsOf: String, named: OutputSpec?) {
            val labels = manifest.labels
            if (named != null && named.shape.last() == labels.size && labels.toSet().size == labels.size) return
            throw ManifestInvalid(
                "decoding.labels_of is '$labelsOf', which ${labels.size} labels do not fit; expected one for each of " +
                    "its values, no two alike; the model has ${shapes(manifest.outputs)}",
            )
        }
    }
}
