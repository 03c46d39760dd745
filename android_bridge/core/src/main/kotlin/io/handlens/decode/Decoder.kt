package io.handlens.decode

import io.handlens.ManifestInvalid
import io.handlens.artifact.Manifest

/** The values of a model's outputs, by name: [io.handlens.engine.Session.output]. */
internal fun interface Outputs {
    /** Float32, in C order. */
    operator fun get(name: String): FloatArray
}

/** From a detector's raw outputs to candidate faces; it computes only the cells whose score passes. */
internal interface Decoder {
    /** An empty set of candidates with room for every cell. */
    fun candidates(): Candidates

    /**
     * Fills [into] with the cells whose score is above [threshold] (0..1), in the order of the cells.
     *
     * Scores are compared as the model gives them, in float32; nothing is allocated.
     */
    fun decode(outputs: Outputs, threshold: Double, into: Candidates)

    companion object {
        /**
         * Makes the decoder that a detector's manifest asks for.
         *
         * @throws ManifestInvalid the manifest's outputs are not those that it needs.
         */
        fun of(manifest: Manifest, decoding: Decoding = Decoding.of(manifest)): Decoder = when (decoding.kind) {
            "cells" -> Cells(manifest, decoding)
            "yunet" -> Yunet(manifest, decoding)
            else -> BlazeFace(manifest, decoding)
        }
    }
}

/** A box of more than e^10 strides is no face; without the limit a wild output overflows. */
internal const val MAX_LOG = 10f

/**
 * All cells of an input: stride by stride as given, rows from the top, cells from the left.
 *
 * @param anchors entries a cell has, one number for each stride.
 * @throws ManifestInvalid the input is no multiple of a stride.
 */
internal class Grid(manifest: Manifest, strides: List<Int>, anchors: List<Int>) {
    private val height = manifest.input.height
    private val width = manifest.input.width

    /** How many entries there are. */
    val count: Int = strides.zip(anchors).sumOf { (stride, each) ->
        if (height % stride != 0 || width % stride != 0) {
            throw ManifestInvalid("the input is $height x $width; the decoding's stride $stride does not divide it")
        }
        height / stride * (width / stride) * each
    }

    /** x and y of each entry's centre, in pixels of the input. */
    val centres: FloatArray = FloatArray(2 * count)

    /** The stride of each entry, in pixels. */
    val strides: FloatArray = FloatArray(count)

    init {
        var at = 0
        for ((stride, each) in strides.zip(anchors)) {
            for (row in 0 until height / stride) {
                for (column in 0 until width / stride) {
                    repeat(each) {
                        centres[2 * at] = (column + HALF) * stride
                        centres[2 * at + 1] = (row + HALF) * stride
                        this.strides[at++] = stride.toFloat()
                    }
                }
            }
        }
    }

    private companion object {
        const val HALF = 0.5f
    }
}
