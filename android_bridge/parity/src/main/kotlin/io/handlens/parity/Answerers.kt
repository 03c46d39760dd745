package io.handlens.parity

import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.door.Gates
import io.handlens.door.Verdict
import io.handlens.engine.EngineFactory
import io.handlens.image.RgbImage
import io.handlens.task.AttributeClassifier
import io.handlens.task.Box
import io.handlens.task.DetectorOptions
import io.handlens.task.Face
import io.handlens.task.FaceDetector
import io.handlens.task.FaceVerifier
import io.handlens.task.Gender
import io.handlens.task.GenderClassifier
import io.handlens.task.PersonReidentifier
import io.handlens.task.Point
import io.handlens.task.Segmenter
import io.handlens.task.Task
import java.io.File
import java.util.Base64

/**
 * A task that answers lines: the path of a picture and, for a verifier, x and y of five points after it.
 *
 * @property task what answers; closed with this.
 */
internal class Answerer<T : Task>(private val task: T, private val answer: T.(RgbImage, List<Double>) -> Any) :
    AutoCloseable {
    /** Name and version. */
    val engine: String get() = task.engine

    /** The answer to one line, as JSON's lists and maps. */
    fun answer(line: String): Any {
        val fields = line.split('\t')
        return task.answer(Picture.read(File(fields[0])), fields.drop(1).map(String::toDouble))
    }

    override fun close(): Unit = task.close()
}

/** Opens [artifact] for the task of this [name]. */
internal fun answerer(name: String, artifact: Artifact, engine: EngineFactory, scoreThreshold: Double?): Answerer<*> =
    when (name) {
        "detect" -> Answerer(FaceDetector.load(artifact, engine, DetectorOptions(scoreThreshold))) { image, _ ->
            detect(image).map(::face)
        }
        "gates" -> Gates().let { gates ->
            Answerer(FaceDetector.load(artifact, engine, DetectorOptions(scoreThreshold))) { image, _ ->
                gates.judge(image, detect(image)).map(::verdict)
            }
        }
        "verify" -> Answerer(FaceVerifier.load(artifact, engine)) { image, points ->
            embed(image, Face(NO_BOX, 1.0, points.chunked(2) { (x, y) -> Point(x, y) }))
        }
        "reid" -> Answerer(PersonReidentifier.load(artifact, engine)) { image, _ -> embed(image) }
        "attributes" -> Answerer(AttributeClassifier.load(artifact, engine)) { image, _ ->
            classify(image).heads.mapValues { it.value.confidences }
        }
        "gender" -> Answerer(GenderClassifier.load(artifact, engine)) { image, _ -> gender(classify(image)) }
        "segment" -> Answerer(Segmenter.load(artifact, engine)) { image, _ -> mask(image) }
        else -> throw OptionError("task '$name' is unknown; valid: $TASKS")
    }

/** The names that [answerer] takes. */
internal const val TASKS: String = "detect, gates, verify, reid, attributes, gender, segment"

// A verifier aligns by the points alone.
private val NO_BOX = Box(0.0, 0.0, 1.0, 1.0)

private fun face(face: Face): Map<String, Any?> = mapOf(
    "box" to listOf(face.box.x1, face.box.y1, face.box.x2, face.box.y2),
    "score" to face.score,
    "points" to face.points?.map { listOf(it.x, it.y) },
    "gender" to face.gender?.let(::gender),
)

private fun verdict(verdict: Verdict): Map<String, Any?> = mapOf(
    "gate" to verdict.gate,
    "passed" to verdict.passed,
    "measured" to verdict.measured,
    "advice" to verdict.advice,
)

private fun gender(gender: Gender): List<Any> = listOf(gender.label.text, gender.confidence)

private fun Segmenter.mask(image: RgbImage): Map<String, Any?> {
    val found = segment(image)
    val encoder = Base64.getEncoder()
    return mapOf(
        "alpha" to encoder.encodeToString(found.alpha),
        "labels" to found.labels?.let(encoder::encodeToString),
        "class" to found.className,
        "confidence" to found.confidence,
    )
}
