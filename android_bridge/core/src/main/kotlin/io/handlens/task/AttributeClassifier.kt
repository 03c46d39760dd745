package io.handlens.task

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.EngineWrong
import io.handlens.ImageShapeError
import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.decode.HeadReader
import io.handlens.engine.EngineFactory
import io.handlens.engine.Session
import io.handlens.image.RgbImage

/**
 * Says what people look like on crops of them, with an attribute artifact.
 *
 * The heads and their labels come from the artifact: gender, torso_type, torso_colour, leg_type, leg_colour and luggage
 * in the zoo's. Every head answers, whatever the image shows: read the confidence, and find the person first.
 */
public class AttributeClassifier private constructor(session: Session) : Task(session) {
    private val reader = HeadReader(manifest)
    private val input = ColourInput(session, "names")

    /** Head to its labels. */
    public val labels: Map<String, List<String>> get() = reader.labels

    /**
     * Says what a person looks like.
     *
     * @param crop of a person, who fills it: RGB, upright, of any size.
     * @throws ImageShapeError the crop cannot be used; a grey one for a colour model cannot.
     * @throws EngineWrong the model's answer is not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun classify(crop: RgbImage): Attributes = synchronized(session) {
        reader.start()
        input.run(crop)
        reader.add(outputs)
        if (reader.mirror) {
            input.runMirror()
            reader.add(outputs)
        }
        reader.wrong()?.let {
            throw EngineWrong("$it is not finite on $engine; use another engine for ${manifest.name}")
        }
        Attributes(reader.read())
    }

    public companion object {
        /** The task that the manifest names. */
        public const val TASK: String = "attributes"

        /**
         * Opens an artifact, after its golden vectors were answered rightly on this engine and machine.
         *
         * @param engines what opens the engine.
         * @param threads for the engine to use.
         * @throws OptionError the artifact is of another task.
         * @throws ManifestInvalid its decoding does not name a label for each logit of each output.
         * @throws EngineUnavailable the engine's library is missing, or it cannot read this model.
         * @throws EngineWrong the engine answers the goldens wrongly.
         */
        @JvmStatic
        @JvmOverloads
        public fun load(artifact: Artifact, engines: EngineFactory, threads: Int = 1): AttributeClassifier =
            load(artifact, engines, threads, { requireTask(it, TASK) }, ::AttributeClassifier)
    }
}
