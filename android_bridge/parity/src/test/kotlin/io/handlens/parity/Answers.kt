package io.handlens.parity

import io.handlens.artifact.Artifact
import io.handlens.artifact.Json
import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonNull
import io.handlens.artifact.JsonNumber
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import io.handlens.artifact.JsonValue
import io.handlens.image.Patterns
import io.handlens.image.RgbImage
import io.handlens.testing.Golden
import org.junit.jupiter.api.Assertions.assertTrue

/** What Python answered with the zoo's artifacts on drawn pictures: tests/golden/answers.json. */
internal object Answers {
    private val json = Json.parse(Golden.file("answers.json").readText(), "answers.json") as JsonObject

    /** The answers of the artifact in a file. */
    fun of(file: String): List<JsonObject> = json[file].items.map { it as JsonObject }

    /** The artifact in a file of the zoo. */
    fun artifact(file: String): Artifact = Artifact.open(Golden.zoo(file).readBytes(), file)
}

internal val JsonValue?.items: List<JsonValue> get() = (this as JsonArray).items

internal val JsonValue?.text: String get() = (this as JsonText).value

internal val JsonValue?.number: Double get() = (this as JsonNumber).value

internal val JsonValue?.doubles: List<Double> get() = items.map { it.number }

internal val JsonValue?.entries: Map<String, JsonValue> get() = (this as JsonObject).entries

/** The value, or null where there is none or it is null. */
internal fun JsonObject.given(key: String): JsonValue? = get(key)?.takeIf { it !is JsonNull }

/** The picture that a row is about. */
internal val JsonObject.picture: RgbImage
    get() {
        val (generator, seed, height, width) = this["picture"].items
        return Patterns.generate(
            generator.text,
            seed.number.toLong(),
            height.number.toInt(),
            width.number.toInt(),
            channels = 3,
        )
    }

/** Keeps the largest difference between numbers that should be equal. */
internal class Distance(private val allowed: Double) {
    var worst: Double = 0.0
        private set

    /** Compares two numbers; [what] names them when they are too far apart. */
    fun between(expected: Double, found: Double, what: String) {
        val distance = Math.abs(expected - found)
        assertTrue(distance <= allowed) { "$what is $found; Python says $expected" }
        worst = maxOf(worst, distance)
    }

    /** Compares two lists of numbers. */
    fun between(expected: List<Double>, found: List<Double>, what: String) {
        assertTrue(expected.size == found.size) { "$what has ${found.size} numbers; Python has ${expected.size}" }
        for (index in expected.indices) between(expected[index], found[index], "$what[$index]")
    }
}
