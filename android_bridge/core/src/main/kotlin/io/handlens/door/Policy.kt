package io.handlens.door

import io.handlens.OptionError
import io.handlens.task.Face
import io.handlens.task.Gender

/**
 * What a policy says of a face.
 *
 * @property admits true to admit; false: a person decides. There is no way to refuse.
 * @property reason said to whoever decides, and to the visitor.
 */
public data class Opinion(public val admits: Boolean, public val reason: String)

/** Judges a face whose owner was recognised; it is asked after the comparison succeeded. Read docs/responsible-use.md. */
public fun interface Policy {
    /** Returns an opinion. */
    public fun judge(face: Face): Opinion
}

/**
 * Admission by the gender that the detector reads from the face, as the early app had it.
 *
 * It admits where the model is confident of an admitted gender, and hands over to a person in every other case. What the
 * model reads is no more than the look of a face, in two classes; it is wrong more often for some groups than for others.
 *
 * @property admits at least one.
 * @property minConfidence 0.5 to 1; below it a person decides.
 * @throws OptionError no gender, or a confidence outside 0.5 to 1.
 */
public data class GenderPolicy(
    public val admits: Set<Gender.Label>,
    public val minConfidence: Double = 0.9,
) : Policy {
    init {
        if (admits.isEmpty()) throw OptionError("admits is empty; valid: female, male, or both")
        if (minConfidence !in 0.5..1.0) throw OptionError("minConfidence is $minConfidence; valid: 0.5 to 1")
    }

    override fun judge(face: Face): Opinion {
        val gender = face.gender
            ?: return Opinion(false, "the detector says nothing about gender, so a person decides")
        val sure = percent(gender.confidence)
        return when {
            gender.confidence < minConfidence ->
                Opinion(false, "the model is $sure sure, below ${percent(minConfidence)}; a person decides")
            gender.label !in admits ->
                Opinion(false, "the model reads ${gender.label.text}, which the policy does not cover; a person decides")
            else -> Opinion(true, "the model reads ${gender.label.text}, $sure sure")
        }
    }
}
