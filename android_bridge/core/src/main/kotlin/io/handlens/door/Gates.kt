package io.handlens.door

import io.handlens.FaceBlurred
import io.handlens.FaceCutOff
import io.handlens.FaceRefused
import io.handlens.FaceTooBright
import io.handlens.FaceTooDark
import io.handlens.FaceTooSmall
import io.handlens.FaceTurned
import io.handlens.ImageShapeError
import io.handlens.NoFace
import io.handlens.OptionError
import io.handlens.SeveralFaces
import io.handlens.image.RgbImage
import io.handlens.task.Face
import kotlin.math.abs

/**
 * The gates before any embedding: one face, large enough, whole, towards the camera, well lit, sharp. The same limits,
 * decisions and words as Python's `handlens.gates`. Not thread-safe: work space is kept.
 *
 * @property limits where each gate closes.
 */
public class Gates(public val limits: Limits = Limits()) {
    internal val measurer = FaceMeasurer()

    /**
     * Asks every gate, in the order of [NAMES]; without exactly one face only the first can answer.
     *
     * @param image upright RGB.
     * @param faces all that a detector found in it.
     * @throws OptionError the face has no points; the detector does not give any.
     * @throws ImageShapeError the face's points cannot be those of a face.
     */
    public fun judge(image: RgbImage, faces: List<Face>): List<Verdict> {
        val largest = faces.maxOfOrNull { it.box.height } ?: 0.0
        val counted = faces.filter { it.box.height >= limits.otherFaces * largest }
        if (counted.isEmpty()) {
            val advice = "look at the camera, in the light, the whole face showing"
            return listOf(Verdict(NAMES[0], "no face", NoFace("no face", advice)))
        }
        if (counted.size > 1) {
            val text = "${NUMBERS.getOrNull(counted.size) ?: counted.size} faces"
            return listOf(Verdict(NAMES[0], text, SeveralFaces(text, "show one")))
        }
        val points = counted[0].points ?: throw OptionError(
            "the detector gives no five points, which the gates and the verifier need; use one that does",
        )
        val seen = measurer.measure(image, points)
        return listOf(Verdict(NAMES[0], "one face"), size(seen), whole(seen), pose(seen), light(seen), sharpness(seen))
    }

    /**
     * Returns the one face that passes every gate.
     *
     * @param image upright RGB.
     * @param faces all that a detector found in it.
     * @throws FaceRefused by the first gate that is not passed; its class says which.
     * @throws OptionError the face has no points.
     */
    public fun require(image: RgbImage, faces: List<Face>): Face {
        judge(image, faces).forEach { verdict -> verdict.refusal?.let { throw it } }
        return faces.maxBy { it.box.height }
    }

    private fun size(seen: Measures): Verdict {
        val text = "${decimals(seen.eyes, 0)} pixels between the eyes, ${decimals(limits.eyes, 0)} needed"
        val small = seen.eyes < limits.eyes
        return Verdict(
            "size",
            text,
            if (small) FaceTooSmall(text, "come nearer, or use a camera with more pixels") else null,
        )
    }

    private fun whole(seen: Measures): Verdict {
        val text = "${percent(seen.inside)} of the face in the picture, ${percent(limits.inside)} needed"
        val cut = seen.inside < limits.inside
        return Verdict(
            "whole",
            text,
            if (cut) FaceCutOff(text, "move so that the whole face is in the picture") else null,
        )
    }

    private fun pose(seen: Measures): Verdict {
        val aside = decimals(abs(seen.yaw), 2)
        val tilt = decimals(abs(seen.roll), 0)
        val nod = decimals(seen.pitch, 2)
        val (mostYaw, mostRoll) = decimals(limits.yaw, 2) to decimals(limits.roll, 0)
        val (low, high) = decimals(limits.pitchFrom, 2) to decimals(limits.pitchTo, 2)
        val text = "turned aside $aside (at most $mostYaw), tilted $tilt degrees (at most $mostRoll), " +
            "nose at $nod from eyes to mouth ($low to $high)"
        val what = when {
            abs(seen.yaw) > limits.yaw -> "the face is turned aside: $aside, at most $mostYaw"
            abs(seen.roll) > limits.roll -> "the head is tilted by $tilt degrees, at most $mostRoll"
            seen.pitch < limits.pitchFrom -> "the face is turned up: $nod, allowed $low to $high"
            !(seen.pitch <= limits.pitchTo) -> "the face is turned down: $nod, allowed $low to $high"
            else -> return Verdict("pose", text)
        }
        return Verdict("pose", text, FaceTurned(what, "look straight into the camera, the head upright"))
    }

    private fun light(seen: Measures): Verdict {
        val bright = decimals(seen.highlights, 0)
        val needed = decimals(limits.highlights, 0)
        val white = percent(seen.clipped)
        val most = percent(limits.clipped)
        val text = "brightest parts $bright of 255 (at least $needed), $white without detail (at most $most)"
        val refusal = when {
            seen.highlights < limits.highlights -> FaceTooDark(
                "the face is too dark: its brightest parts are $bright of 255, not $needed",
                "turn towards the light, or switch one on",
            )
            seen.clipped > limits.clipped -> FaceTooBright(
                "the face is too bright: $white of it is white, at most $most",
                "step out of the direct light, or switch the flash off",
            )
            else -> null
        }
        return Verdict("light", text, refusal)
    }

    private fun sharpness(seen: Measures): Verdict {
        val text = "sharpness ${decimals(seen.sharpness, 3)}, ${decimals(limits.sharpness, 3)} needed"
        val blurred = seen.sharpness < limits.sharpness
        return Verdict(
            "sharpness",
            text,
            if (blurred) FaceBlurred("the face is blurred: $text", "hold still, and wipe the lens") else null,
        )
    }

    public companion object {
        /** The gates, in the order they are asked. */
        @JvmField
        public val NAMES: List<String> = listOf("one face", "size", "whole", "pose", "light", "sharpness")

        private val NUMBERS =
            listOf("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    }
}
