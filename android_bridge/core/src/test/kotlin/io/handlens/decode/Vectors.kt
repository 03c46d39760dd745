package io.handlens.decode

import io.handlens.artifact.Json
import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonBoolean
import io.handlens.artifact.JsonNull
import io.handlens.artifact.JsonNumber
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import io.handlens.artifact.JsonValue
import io.handlens.testing.Golden

/** The rows of a file of tests/golden. */
internal fun rows(file: String): List<JsonObject> =
    Json.parse(Golden.file(file).readText(), file).items.map { it as JsonObject }

internal val JsonValue?.items: List<JsonValue> get() = (this as JsonArray).items

internal val JsonValue?.text: String get() = (this as JsonText).value

internal val JsonValue?.number: Double get() = (this as JsonNumber).value

internal val JsonValue?.int: Int get() = number.toInt()

internal val JsonValue?.flag: Boolean get() = (this as JsonBoolean).value

internal val JsonValue?.doubles: DoubleArray get() = items.map { it.number }.toDoubleArray()

internal val JsonValue?.floats: FloatArray get() = items.map { it.number.toFloat() }.toFloatArray()

internal val JsonValue?.ints: List<Int> get() = items.map { it.int }

/** The value, or null where there is none or it is null. */
internal fun JsonObject.given(key: String): JsonValue? = get(key)?.takeIf { it !is JsonNull }

/** The stream of numbers that golden inputs are drawn from: SplitMix64, as docs/artifact-format.md has it. */
internal class Draws(private var state: Long) {
    fun below(bound: Int): Int {
        state += -0x61c8864680b583ebL
        var z = state
        z = (z xor (z ushr 30)) * -0x40a7b892e31b1a47L
        z = (z xor (z ushr 27)) * -0x6b2fb644ecceee15L
        return (((z xor (z ushr 31)) ushr 33) % bound).toInt()
    }

    /** [count] values of [low] + [step] * (a draw below [levels]), as float32. */
    fun values(count: Int, low: Double, step: Double, levels: Int): FloatArray =
        FloatArray(count) { (low + step * below(levels)).toFloat() }
}

/** The value as JSON again. */
internal fun JsonValue?.asText(): String = when (this) {
    is JsonObject -> entries.entries.joinToString(",", "{", "}") { "\"${it.key}\":${it.value.asText()}" }
    is JsonArray -> items.joinToString(",", "[", "]") { it.asText() }
    is JsonText -> "\"$value\""
    is JsonNumber -> whole?.toString() ?: value.toString()
    is JsonBoolean -> value.toString()
    is JsonNull, null -> "null"
}
