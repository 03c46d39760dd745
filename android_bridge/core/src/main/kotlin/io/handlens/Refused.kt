package io.handlens

/**
 * The door does not go on with this image or attempt. The message says what was seen, then what to do.
 *
 * @property seen what was seen, with the value and the limit.
 * @property advice what to do, for the person in front of the camera.
 */
public sealed class Refused(public val seen: String, public val advice: String) : InputError("$seen; $advice") {
    /** The same refusal with a message that begins with a place, such as `image 2`. */
    public abstract fun at(place: String): Refused
}

/** A gate refuses the face, before anything is embedded or compared. */
public sealed class FaceRefused(seen: String, advice: String) : Refused(seen, advice)

/** There is no face in the image. */
public class NoFace(seen: String, advice: String) : FaceRefused(seen, advice) {
    override fun at(place: String): NoFace = NoFace("$place: $seen", advice)
}

/** There is more than one face in the image. */
public class SeveralFaces(seen: String, advice: String) : FaceRefused(seen, advice) {
    override fun at(place: String): SeveralFaces = SeveralFaces("$place: $seen", advice)
}

/** There are too few pixels between the eyes. */
public class FaceTooSmall(seen: String, advice: String) : FaceRefused(seen, advice) {
    override fun at(place: String): FaceTooSmall = FaceTooSmall("$place: $seen", advice)
}

/** Part of the face is outside the image. */
public class FaceCutOff(seen: String, advice: String) : FaceRefused(seen, advice) {
    override fun at(place: String): FaceCutOff = FaceCutOff("$place: $seen", advice)
}

/** The face is turned aside, up or down, or tilted. */
public class FaceTurned(seen: String, advice: String) : FaceRefused(seen, advice) {
    override fun at(place: String): FaceTurned = FaceTurned("$place: $seen", advice)
}

/** The face is underexposed. */
public class FaceTooDark(seen: String, advice: String) : FaceRefused(seen, advice) {
    override fun at(place: String): FaceTooDark = FaceTooDark("$place: $seen", advice)
}

/** The face is overexposed. */
public class FaceTooBright(seen: String, advice: String) : FaceRefused(seen, advice) {
    override fun at(place: String): FaceTooBright = FaceTooBright("$place: $seen", advice)
}

/** The face is out of focus, or moved. */
public class FaceBlurred(seen: String, advice: String) : FaceRefused(seen, advice) {
    override fun at(place: String): FaceBlurred = FaceBlurred("$place: $seen", advice)
}

/** The images cannot become one person's template set. */
public sealed class EnrolmentRefused(seen: String, advice: String) : Refused(seen, advice)

/** There are too few images for an enrolment, or too many. */
public class ImageCountWrong(seen: String, advice: String) : EnrolmentRefused(seen, advice) {
    override fun at(place: String): ImageCountWrong = ImageCountWrong("$place: $seen", advice)
}

/** Two images are copies of one, or of the same moment, and teach nothing of how the person varies. */
public class EnrolmentTooAlike(seen: String, advice: String) : EnrolmentRefused(seen, advice) {
    override fun at(place: String): EnrolmentTooAlike = EnrolmentTooAlike("$place: $seen", advice)
}

/** The images do not all show one person, as far as the model can tell. */
public class EnrolmentInconsistent(seen: String, advice: String) : EnrolmentRefused(seen, advice) {
    override fun at(place: String): EnrolmentInconsistent = EnrolmentInconsistent("$place: $seen", advice)
}

/** Somebody is enrolled under the name. */
public class AlreadyEnrolled(seen: String, advice: String) : EnrolmentRefused(seen, advice) {
    override fun at(place: String): AlreadyEnrolled = AlreadyEnrolled("$place: $seen", advice)
}

/**
 * There were too many failed attempts.
 *
 * @property retryAfter seconds to wait; null where an operator has to reset the counter.
 */
public class TooManyAttempts(seen: String, advice: String, public val retryAfter: Double? = null) :
    Refused(seen, advice) {
    override fun at(place: String): TooManyAttempts = TooManyAttempts("$place: $seen", advice, retryAfter)
}

/** Nobody is enrolled under the name. For operators: a visitor is told the same as when the face differs. */
public class UnknownName(seen: String, advice: String) : Refused(seen, advice) {
    override fun at(place: String): UnknownName = UnknownName("$place: $seen", advice)
}
