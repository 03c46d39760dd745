package io.handlens

import io.handlens.artifact.Json
import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonBoolean
import io.handlens.artifact.JsonNumber
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import io.handlens.artifact.JsonValue
import io.handlens.artifact.hex
import io.handlens.image.Draws
import io.handlens.image.RgbImage
import io.handlens.testing.Golden
import java.security.MessageDigest

/** The rows of a file of tests/golden. */
internal fun rows(name: String): List<JsonValue> = Json.parse(Golden.file(name).readText(), name).list

internal val JsonValue.list: List<JsonValue> get() = (this as JsonArray).items
internal val JsonValue.text: String get() = (this as JsonText).value
internal val JsonValue.double: Double get() = (this as JsonNumber).value
internal val JsonValue.int: Int get() = checkNotNull((this as JsonNumber).whole).toInt()
internal val JsonValue.long: Long get() = checkNotNull((this as JsonNumber).whole)
internal val JsonValue.doubles: DoubleArray get() = list.map { it.double }.toDoubleArray()
internal val JsonValue.isTrue: Boolean get() = (this as? JsonBoolean)?.value == true

internal operator fun JsonValue.get(index: Int): JsonValue = list[index]

internal operator fun JsonValue.get(key: String): JsonValue? = (this as JsonObject)[key]

internal fun JsonValue.at(key: String): JsonValue = checkNotNull(this[key]) { "no $key" }

/** As tests/golden/make_images.py's: bytes of SplitMix64, one a draw below 256. */
internal fun randomImage(seed: Long, height: Int, width: Int, channels: Int): RgbImage {
    val draws = Draws(seed)
    return RgbImage(ByteArray(height * width * channels) { draws.below(256).toByte() }, width, height, channels)
}

/** Half of the hash. */
internal fun digest(bytes: ByteArray): String = hex(MessageDigest.getInstance("SHA-256").digest(bytes)).take(16)

/** The largest distance between the eight values of a row and those found, which are spread over [count]. */
internal fun difference(expected: JsonValue, count: Int, found: (Int) -> Double): Double {
    val places = minOf(8, count)
    return expected.list.indices.maxOf { index ->
        val place = if (places == 1) 0 else (index * (count - 1.0) / (places - 1)).toInt()
        Math.abs(found(place) - expected[index].double)
    }
}

internal fun difference(expected: JsonValue, found: ByteArray): Double =
    difference(expected, found.size) { (found[it].toInt() and 0xFF).toDouble() }
