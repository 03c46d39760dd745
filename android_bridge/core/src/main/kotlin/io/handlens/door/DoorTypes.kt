package io.handlens.door

import io.handlens.OptionError
import io.handlens.artifact.Threshold
import io.handlens.image.RgbImage
import io.handlens.task.Face
import io.handlens.task.Gender

/** What the door needs of a face detector; [openDoor] takes a [io.handlens.task.FaceDetector] as it is. */
public interface FaceFinder : AutoCloseable {
    /** Finds the faces of an upright RGB image, the best first. */
    public fun detect(image: RgbImage): List<Face>
}

/** What the door needs of a face verifier; [openDoor] takes a [io.handlens.task.FaceVerifier] as it is. */
public interface FaceEmbedder : AutoCloseable {
    /** Identifies the model. */
    public val modelId: String

    /** Numbers in a template. */
    public val dimension: Int

    /** The false match rates that were measured for this file. */
    public val thresholds: List<Threshold>

    /** Turns a face into a template: [dimension] numbers, of length 1; an array of the caller's own. */
    public fun embed(image: RgbImage, face: Face): FloatArray

    /** The threshold for a rate, or [io.handlens.RateUnsupported]. */
    public fun threshold(fmr: Double): Threshold
}

/**
 * How the door decides.
 *
 * @property fmr false match rate that [Door.verify] runs at; one of those that the verifier's manifest carries.
 * @property fpir false positive identification rate that [Door.identify] runs at: how often somebody who is not enrolled
 *   may be taken for anybody who is.
 * @property limits of the gates.
 * @property policy asked after a match; null admits everybody who matches.
 * @property minImages for an enrolment.
 * @property maxImages for an enrolment.
 * @throws OptionError a rate outside 0 to 1, or image counts that contradict each other.
 */
public data class DoorOptions(
    public val fmr: Double = 1e-3,
    public val fpir: Double = 1e-2,
    public val limits: Limits = Limits(),
    public val policy: Policy? = null,
    public val minImages: Int = 2,
    public val maxImages: Int = 10,
) {
    init {
        for ((what, rate) in listOf("fmr" to fmr, "fpir" to fpir)) {
            if (!(rate > 0 && rate < 1)) throw OptionError("$what is $rate; valid: between 0 and 1, such as 0.001")
        }
        if (minImages < 1 || minImages > maxImages) {
            throw OptionError("minImages is $minImages, maxImages $maxImages; valid: 1 <= min <= max")
        }
    }
}

/**
 * What the gates say of an image.
 *
 * @property faces all that were found, best first.
 * @property verdicts in the order of [Gates.NAMES]; without exactly one face only the first.
 */
public class Examination(public val faces: List<Face>, public val verdicts: List<Verdict>) {
    /** Whether every gate is passed. */
    public val passed: Boolean get() = verdicts.all { it.passed }
}

/**
 * A person was enrolled.
 *
 * @property name as it is kept.
 * @property images number of templates in the set.
 * @property modelId of the model that made them.
 */
public data class Enrolment(public val name: String, public val images: Int, public val modelId: String)

/** What the door decides: [ADMITTED] alone opens it. */
public enum class Outcome {
    /** Recognised, and no policy objects. */
    ADMITTED,

    /** Not recognised. */
    NOT_ADMITTED,

    /** Recognised, but a person decides. */
    PERSON,
}

/**
 * What the door decided.
 *
 * @property name claimed ([Door.verify]), or found ([Door.identify]; null for nobody).
 * @property reason for the visitor; says what to do where it is no admission.
 * @property score of the comparison, -1..1; null where nobody is enrolled. For operators: a visitor who sees it can work
 *   his way up.
 * @property threshold that the score was held against; null where nobody is enrolled.
 * @property targetFmr the false match rate of one comparison that the threshold was measured for.
 * @property comparisons impostor comparisons behind that measurement.
 * @property gender what the detector reads from the face; null where it reads nothing.
 */
public data class Decision(
    public val name: String?,
    public val outcome: Outcome,
    public val reason: String,
    public val score: Double?,
    public val threshold: Double?,
    public val targetFmr: Double?,
    public val comparisons: Long,
    public val gender: Gender?,
) {
    /** Whether the door opens. */
    public val admitted: Boolean get() = outcome == Outcome.ADMITTED
}
