package io.handlens.task

import kotlin.math.abs
import kotlin.math.exp

/** A place in an image: pixels of the upright image, x to the right, y down, (0, 0) the outer corner of the first. */
public data class Point(public val x: Double, public val y: Double)

/** A rectangle in pixels of the upright image; [x2] and [y2] lie beyond its last pixel, so x2 - x1 is a width. */
public data class Box(public val x1: Double, public val y1: Double, public val x2: Double, public val y2: Double) {
    /** Of the box, in pixels. */
    public val width: Double get() = x2 - x1

    /** Of the box, in pixels. */
    public val height: Double get() = y2 - y1
}

/**
 * What a model takes a face for.
 *
 * @property label the likelier of the two.
 * @property confidence that it is so, 0.5..1.
 */
public data class Gender(public val label: Label, public val confidence: Double) {
    /** The two that the models tell; [text] is what Python and the manifests call them. */
    public enum class Label(public val text: String) {
        MALE("male"),
        FEMALE("female"),
    }

    public companion object {
        /** Reads the [logit] of female. */
        public fun ofLogit(logit: Double): Gender =
            Gender(if (logit > 0) Label.FEMALE else Label.MALE, 1 / (1 + exp(-abs(logit))))
    }
}

/**
 * A face in an image; coordinates are pixels of the upright image.
 *
 * @property box cut off at the image's edges.
 * @property score that it is a face, 0..1.
 * @property points image-left eye, image-right eye, nose tip, image-left and image-right mouth corner (the person's
 *   right eye first), which may lie outside of the image; null where the model gives no such points.
 * @property gender null where the model does not tell.
 */
public data class Face(
    public val box: Box,
    public val score: Double,
    public val points: List<Point>? = null,
    public val gender: Gender? = null,
)
