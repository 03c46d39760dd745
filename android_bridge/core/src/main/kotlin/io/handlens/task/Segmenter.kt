package io.handlens.task

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.EngineWrong
import io.handlens.ImageShapeError
import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.artifact.JsonText
import io.handlens.artifact.Manifest
import io.handlens.decode.MaskDecoding
import io.handlens.decode.MaskReader
import io.handlens.engine.EngineFactory
import io.handlens.engine.Session
import io.handlens.image.RgbImage

/**
 * Separates foreground from background with any artifact whose manifest has a decoding of kind `mask`.
 *
 * Of this house these are the tasks `person-mask` and `pets`; a model from elsewhere comes in with `handlens import`.
 */
public class Segmenter private constructor(session: Session) : Task(session) {
    private val reader = MaskReader(manifest)

    /**
     * Segments an image.
     *
     * @param image RGB, upright.
     * @return masks and labels in pixels of the image, the letterbox undone. An image of nothing gives an empty mask,
     *   no labels but background, and no box.
     * @throws ImageShapeError the image is not RGB.
     * @throws EngineWrong the model's answer is not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun segment(image: RgbImage): Segmentation =
        SegmentationBuffer().also { segment(image, it) }.toSegmentation()

    /**
     * Segments a frame, and allocates nothing once the frame's size is known.
     *
     * @param image RGB, upright.
     * @param into filled with masks and labels, in pixels of the image.
     * @throws ImageShapeError the image is not RGB.
     * @throws EngineWrong the model's answer is not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun segment(image: RgbImage, into: SegmentationBuffer): Unit = synchronized(session) {
        session.run(image)
        val wrong = reader.wrong(outputs)
        if (wrong != null) {
            throw EngineWrong("output $wrong is not finite on $engine; use another engine for ${manifest.name}")
        }
        reader.read(outputs, image.width, image.height, into)
    }

    public companion object {
        /**
         * Opens an artifact, after its golden vectors were answered rightly on this engine and machine.
         *
         * @param engines what opens the engine.
         * @param threads for the engine to use.
         * @throws OptionError the manifest's decoding is of another kind.
         * @throws ManifestInvalid its decoding, geometry, outputs or labels are not those of a segmenter.
         * @throws EngineUnavailable the engine's library is missing, or it cannot read this model.
         * @throws EngineWrong the engine answers the goldens wrongly.
         */
        @JvmStatic
        @JvmOverloads
        public fun load(artifact: Artifact, engines: EngineFactory, threads: Int = 1): Segmenter =
            load(artifact, engines, threads, ::requireMask, ::Segmenter)

        private fun requireMask(manifest: Manifest) {
            if (manifest.decoding["kind"] == JsonText(MaskDecoding.KIND)) return
            throw OptionError(
                "the artifact ${manifest.name} is for the task '${manifest.task}' and says nothing of masks; " +
                    "expected a segmenter, such as 'person-mask', whose manifest has \"decoding\": {\"kind\": \"mask\"}",
            )
        }
    }
}
