package io.handlens.door

import io.handlens.FaceRefused

/**
 * Where each gate closes; [Measures] says what is measured, docs/door.md where the values come from.
 *
 * @property otherFaces a further face counts when its height is at least this share of the largest one's; 0 counts all.
 * @property eyes pixels between the eyes, at least.
 * @property inside share of the face in the image, at least.
 * @property yaw to either side, at most.
 * @property pitchFrom the nose tip's place, at least.
 * @property pitchTo the nose tip's place, at most.
 * @property roll degrees to either side, at most.
 * @property highlights luma, at least.
 * @property clipped share of the face, at most.
 * @property sharpness at least.
 */
public data class Limits(
    public val otherFaces: Double = 0.0,
    public val eyes: Double = 20.0,
    public val inside: Double = 0.9,
    public val yaw: Double = 0.6,
    public val pitchFrom: Double = 0.42,
    public val pitchTo: Double = 0.72,
    public val roll: Double = 15.0,
    public val highlights: Double = 95.0,
    public val clipped: Double = 0.15,
    public val sharpness: Double = 0.06,
)

/**
 * What a gate says of an image.
 *
 * @property gate one of [Gates.NAMES].
 * @property measured in words, with the limit.
 * @property refusal null where the gate is passed.
 */
public class Verdict(
    public val gate: String,
    public val measured: String,
    public val refusal: FaceRefused? = null,
) {
    /** Whether the gate is passed. */
    public val passed: Boolean get() = refusal == null

    /** What to do; "" where the gate is passed. */
    public val advice: String get() = refusal?.advice.orEmpty()

    override fun toString(): String = "$gate: ${if (passed) "passed" else "refused"}, $measured"
}
