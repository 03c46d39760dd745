package io.handlens.task

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.EngineWrong
import io.handlens.ImageShapeError
import io.handlens.InputError
import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.engine.EngineFactory
import io.handlens.engine.Session
import io.handlens.image.RgbImage

/** Embeds crops of persons with a re-identification artifact; other images of a person give templates alike. */
public class PersonReidentifier private constructor(session: Session) : Embedder(session) {
    private val input = ColourInput(session, "compares")

    /**
     * Turns the image of a person, who fills it, into a template.
     *
     * @param image RGB, upright, of any size.
     * @return [dimension] numbers, of length 1.
     * @throws ImageShapeError the image cannot be used; a grey one for a colour model cannot.
     * @throws EngineWrong the model's answer is zero or not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun embed(image: RgbImage): FloatArray = FloatArray(dimension).also { embed(image, it) }

    /**
     * Turns the image of a person into a template, and allocates nothing once the image's size is known.
     *
     * @param image RGB, upright, of any size.
     * @param into of [dimension] numbers; the template, of length 1.
     * @throws ImageShapeError the image cannot be used; a grey one for a colour model cannot.
     * @throws InputError [into] has another size.
     * @throws EngineWrong the model's answer is zero or not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun embed(image: RgbImage, into: FloatArray): Unit = synchronized(session) {
        input.run(image)
        template(into)
    }

    public companion object {
        /** The task that the manifest names. */
        public const val TASK: String = "reid"

        /**
         * Opens an artifact, after its golden vectors were answered rightly on this engine and machine.
         *
         * @param engines what opens the engine.
         * @param threads for the engine to use.
         * @throws OptionError the artifact is of another task.
         * @throws ManifestInvalid it has more than one output.
         * @throws EngineUnavailable the engine's library is missing, or it cannot read this model.
         * @throws EngineWrong the engine answers the goldens wrongly.
         */
        @JvmStatic
        @JvmOverloads
        public fun load(artifact: Artifact, engines: EngineFactory, threads: Int = 1): PersonReidentifier =
            load(artifact, engines, threads, { requireTask(it, TASK) }, ::PersonReidentifier)
    }
}
