package io.handlens.task

import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.artifact.Manifest
import io.handlens.artifact.OutputSpec
import io.handlens.decode.Outputs
import io.handlens.engine.EngineFactory
import io.handlens.engine.Session

/**
 * A model of one task on an engine. Close it after use. Calls from several threads are serialised.
 */
public sealed class Task(internal val session: Session) : AutoCloseable {
    internal val outputs: Outputs = Outputs(session::output)

    /** What the artifact says about itself. */
    public val manifest: Manifest get() = session.manifest

    /** Identifies the model; templates of different models cannot be compared. */
    public val modelId: String get() = manifest.modelId

    /** Name and version of the engine that runs the model. */
    public val engine: String = "${session.engineName} ${session.engineVersion}"

    /** Releases the engine; a later call fails. Calling it again does nothing. */
    override fun close() {
        session.close()
    }
}

/**
 * Opens an artifact for a task, and closes it again where the task does not take it.
 *
 * @param check refuses a manifest before any engine is opened.
 */
internal inline fun <T : Task> load(
    artifact: Artifact,
    engines: EngineFactory,
    threads: Int,
    check: (Manifest) -> Unit,
    make: (Session) -> T,
): T {
    check(artifact.manifest)
    val session = Session.open(artifact, engines, threads)
    var made = false
    try {
        return make(session).also { made = true }
    } finally {
        if (!made) session.close()
    }
}

/** Refuses an artifact of another task than [task]. */
internal fun requireTask(manifest: Manifest, task: String) {
    if (manifest.task != task) {
        throw OptionError("the artifact ${manifest.name} is for the task '${manifest.task}'; expected '$task'")
    }
}

/** The one output of a model; [what] names it in the message of [ManifestInvalid]. */
internal fun onlyOutput(manifest: Manifest, what: String): OutputSpec = manifest.outputs.singleOrNull()
    ?: throw ManifestInvalid(
        "a ${manifest.task} model has one output, $what; this one has ${manifest.outputs.joinToString { it.name }}",
    )
