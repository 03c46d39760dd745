package io.handlens.task

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.EngineWrong
import io.handlens.ImageShapeError
import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.artifact.Manifest
import io.handlens.engine.EngineFactory
import io.handlens.engine.Session
import io.handlens.image.RgbImage

/** Tells female from male on crops of faces, with a gender artifact: for callers who have a crop already. */
public class GenderClassifier private constructor(session: Session) : Task(session) {
    private val output = logit(session.manifest)

    /**
     * Tells the gender that a face looks like.
     *
     * @param crop of a face with a margin, as [FaceCrops.crop] makes it of a detected one: RGB, of any size.
     * @throws ImageShapeError the crop cannot be used.
     * @throws EngineWrong the model's answer is not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun classify(crop: RgbImage): Gender = synchronized(session) {
        session.run(crop)
        val logit = outputs[output][0]
        if (!logit.isFinite()) {
            throw EngineWrong("the answer is not finite on $engine; use another engine for ${manifest.name}")
        }
        Gender.ofLogit(logit.toDouble())
    }

    public companion object {
        /** The task that the manifest names. */
        public const val TASK: String = "gender"

        /**
         * Opens an artifact, after its golden vectors were answered rightly on this engine and machine.
         *
         * @param engines what opens the engine.
         * @param threads for the engine to use.
         * @throws OptionError the artifact is of another task.
         * @throws ManifestInvalid its output is not one number, or its labels are not male and female.
         * @throws EngineUnavailable the engine's library is missing, or it cannot read this model.
         * @throws EngineWrong the engine answers the goldens wrongly.
         */
        @JvmStatic
        @JvmOverloads
        public fun load(artifact: Artifact, engines: EngineFactory, threads: Int = 1): GenderClassifier =
            load(artifact, engines, threads, { requireTask(it, TASK) }, ::GenderClassifier)

        private fun logit(manifest: Manifest): String {
            val output = onlyOutput(manifest, "the logit of female")
            if (output.elements != 1) {
                throw ManifestInvalid("output ${output.name} has shape ${output.shape}; expected one number")
            }
            val labels = Gender.Label.entries.map { it.text }
            if (manifest.labels.isNotEmpty() && manifest.labels != labels) {
                throw ManifestInvalid(
                    "labels are ${manifest.labels}; expected $labels: the output is the logit of female",
                )
            }
            return output.name
        }
    }
}
