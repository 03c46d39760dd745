package io.handlens.task

import io.handlens.InputError

/**
 * The answer of one head.
 *
 * @property label the likeliest of the head's labels.
 * @property confidence how sure the model is of it, 0..1.
 * @property confidences of every label of the head; they sum to 1.
 */
public data class Attribute(
    public val label: String,
    public val confidence: Double,
    public val confidences: Map<String, Double>,
)

/**
 * What one person looks like, by head: `found["torso_colour"].label`.
 *
 * @property heads the answer of each head, in the model's order.
 */
public data class Attributes(public val heads: Map<String, Attribute>) {
    /**
     * The answer of a head.
     *
     * @throws InputError the model has no such head; its heads are listed.
     */
    public operator fun get(head: String): Attribute = heads[head]
        ?: throw InputError("the model has no head '$head'; it has ${heads.keys.joinToString()}")

    /** The likeliest label of each head. */
    public fun labels(): Map<String, String> = heads.mapValues { it.value.label }
}
