package io.handlens.task

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.EngineWrong
import io.handlens.ImageShapeError
import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.artifact.Fit
import io.handlens.decode.FaceReader
import io.handlens.engine.EngineFactory
import io.handlens.engine.Session
import io.handlens.image.RgbImage

/** Finds faces with a face-detector artifact, of this house or imported. */
public class FaceDetector private constructor(session: Session, options: DetectorOptions) : Task(session) {
    private val reader = FaceReader(manifest, options)
    private val buffer = FaceBuffer(minOf(options.maxFaces, maxOf(1, reader.found.capacity)))

    /** The options in force, the manifest's values filled in. */
    public val options: DetectorOptions get() = reader.options

    /**
     * Finds the faces in an image.
     *
     * @param image RGB, upright.
     * @return the faces, the best score first; coordinates in pixels of the upright image.
     * @throws ImageShapeError the image is not RGB.
     * @throws EngineWrong the model's answer is not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun detect(image: RgbImage): List<Face> = synchronized(session) {
        detect(image, buffer)
        buffer.toList()
    }

    /**
     * Finds the faces in a frame, and allocates nothing once the frame's size is known.
     *
     * @param image RGB, upright.
     * @param into filled with the faces.
     * @return how many there are.
     * @throws ImageShapeError the image is not RGB.
     * @throws EngineWrong the model's answer is not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun detect(image: RgbImage, into: FaceBuffer): Int = synchronized(session) {
        val geometry = session.run(image)
        if (!reader.read(outputs, geometry, image.width, image.height, into)) {
            throw EngineWrong("boxes are not finite on $engine; use another engine for ${manifest.name}")
        }
        into.size
    }

    public companion object {
        /** The task that the manifest names. */
        public const val TASK: String = "face-detector"

        /**
         * Opens an artifact, after its golden vectors were answered rightly on this engine and machine.
         *
         * @param engines what opens the engine.
         * @param options how to read the model's answer; by default the manifest's own values.
         * @param threads for the engine to use.
         * @throws OptionError the artifact is of another task.
         * @throws ManifestInvalid its decoding or outputs are not those of a detector.
         * @throws EngineUnavailable the engine's library is missing, or it cannot read this model.
         * @throws EngineWrong the engine answers the goldens wrongly.
         */
        @JvmStatic
        @JvmOverloads
        public fun load(
            artifact: Artifact,
            engines: EngineFactory,
            options: DetectorOptions = DetectorOptions(),
            threads: Int = 1,
        ): FaceDetector = load(
            artifact,
            engines,
            threads,
            {
                requireTask(it, TASK)
                if (it.input.fit == Fit.ALIGN) {
                    throw ManifestInvalid(
                        "a $TASK cannot take aligned faces; valid geometries: letterbox, resize, crop",
                    )
                }
            },
        ) { FaceDetector(it, options) }
    }
}
