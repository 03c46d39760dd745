package io.handlens.parity

import io.handlens.HandlensException
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.engine.EngineFactory
import io.handlens.engine.Session
import io.handlens.engine.jna.LiteRtJnaEngine
import io.handlens.engine.ort.OrtEngine
import java.io.File
import java.io.IOException
import java.io.PrintStream
import kotlin.system.exitProcess

private val ENGINES: Map<String, EngineFactory> = mapOf("litert" to LiteRtJnaEngine, "onnxruntime" to OrtEngine)
private const val USAGE = "parity ENGINE TASK ARTIFACT [SCORE_THRESHOLD]"

/**
 * What the Kotlin library answers, for tests and benchmarks that hold it against Python.
 *
 * `parity ENGINE TASK ARTIFACT` reads lines from standard input, and writes a line of JSON for each: paths of binary
 * pixmaps for the tasks, with a verifier's five points after a tab each; paths of raw tensors for `tensors`. `check`
 * reads none and writes the golden replay. An error ends it with 2 and one line.
 */
public fun main(arguments: Array<String>) {
    val output = PrintStream(System.out, true, Charsets.UTF_8.name())
    try {
        run(arguments.asList(), System.`in`.bufferedReader(Charsets.UTF_8).lineSequence(), output::println)
    } catch (error: HandlensException) {
        fail(error.message)
    } catch (error: IOException) {
        fail(error.message)
    }
}

/** The command, from [lines] to what it [tells]. */
internal fun run(arguments: List<String>, lines: Sequence<String>, tells: (String) -> Unit) {
    if (arguments.size !in 3..4) throw OptionError("${arguments.size} arguments; usage: $USAGE")
    val (name, task, path) = arguments
    val factory = ENGINES[name] ?: throw OptionError("engine '$name' is unknown; valid: ${ENGINES.keys.joinToString()}")
    val file = File(path)
    val artifact = Artifact.open(file.readBytes(), file.name)
    val asked = lines.filter { it.isNotBlank() }
    when (task) {
        "check" -> tells(jsonLine(check(artifact, factory)))
        "tensors" -> Tensors(factory.open(artifact, 1)).use { for (line in asked) tells(jsonLine(it.answer(line))) }
        else -> answerer(task, artifact, factory, arguments.getOrNull(3)?.toDouble()).use {
            for (line in asked) tells(jsonLine(it.answer(line)))
        }
    }
}

private fun check(artifact: Artifact, factory: EngineFactory): Map<String, Any> =
    Session.open(artifact, factory).use { session ->
        val rows = session.verdict?.rows.orEmpty()
        mapOf(
            "engine" to session.engineName,
            "version" to session.engineVersion,
            "rows" to rows.map { mapOf("output" to it.output, "error" to it.maxAbsError, "allowed" to it.allowed) },
        )
    }

private fun fail(message: String?): Nothing {
    System.err.println("error: $message")
    exitProcess(2)
}
