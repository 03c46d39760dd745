package io.handlens.task

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.EngineWrong
import io.handlens.ImageError
import io.handlens.InputError
import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.RateUnsupported
import io.handlens.artifact.Artifact
import io.handlens.artifact.Fit
import io.handlens.artifact.Threshold
import io.handlens.decode.Thresholds
import io.handlens.engine.EngineFactory
import io.handlens.engine.Session
import io.handlens.image.RgbImage

/** Embeds faces, aligned by their five points, with a face-verifier artifact: is this the same person? */
public class FaceVerifier private constructor(session: Session) : Embedder(session) {
    /**
     * Turns a face of an image into a template.
     *
     * @param image RGB, upright.
     * @param face in it, as [FaceDetector.detect] found it.
     * @return [dimension] numbers, of length 1.
     * @throws ImageError the image, or the face's points, cannot be used.
     * @throws InputError the face has no points.
     * @throws EngineWrong the model's answer is zero or not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun embed(image: RgbImage, face: Face): FloatArray {
        val points = face.points
            ?: throw InputError("the face has no points, which alignment needs; use a detector that gives five points")
        val pairs = DoubleArray(2 * points.size) { if (it % 2 == 0) points[it / 2].x else points[it / 2].y }
        return FloatArray(dimension).also { embed(image, pairs, it) }
    }

    /**
     * Turns a face into a template, and allocates nothing once the image's size is known.
     *
     * @param image RGB, upright.
     * @param points x and y of the five points, in the order of [Face.points]; pixels of the image.
     * @param into of [dimension] numbers; the template, of length 1.
     * @throws ImageError the image, or the points, cannot be used.
     * @throws InputError [into] has another size.
     * @throws EngineWrong the model's answer is zero or not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun embed(image: RgbImage, points: DoubleArray, into: FloatArray): Unit = synchronized(session) {
        session.run(image, points)
        template(into)
    }

    /**
     * The threshold on [compare] that was measured, for this very file, for a false match rate: at or above it two
     * templates are of one person.
     *
     * @param fmr the false match rate wanted, such as 0.01.
     * @throws RateUnsupported the manifest has none for this rate, or fewer comparisons behind it than the rule of
     *   three asks for (3 / rate).
     */
    public fun threshold(fmr: Double): Threshold = Thresholds.of(manifest, fmr)

    public companion object {
        /** The task that the manifest names. */
        public const val TASK: String = "face-verifier"

        /**
         * Opens an artifact, after its golden vectors were answered rightly on this engine and machine.
         *
         * @param engines what opens the engine.
         * @param threads for the engine to use.
         * @throws OptionError the artifact is of another task.
         * @throws ManifestInvalid it has more than one output, or takes no aligned faces.
         * @throws EngineUnavailable the engine's library is missing, or it cannot read this model.
         * @throws EngineWrong the engine answers the goldens wrongly.
         */
        @JvmStatic
        @JvmOverloads
        public fun load(artifact: Artifact, engines: EngineFactory, threads: Int = 1): FaceVerifier = load(
            artifact,
            engines,
            threads,
            {
                requireTask(it, TASK)
                if (it.input.fit != Fit.ALIGN) {
                    throw ManifestInvalid(
                        "a $TASK has geometry align; ${it.name} has ${it.input.fit.name.lowercase()}",
                    )
                }
            },
            ::FaceVerifier,
        )
    }
}
