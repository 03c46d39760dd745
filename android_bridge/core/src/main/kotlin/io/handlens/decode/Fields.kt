package io.handlens.decode

import io.handlens.ManifestInvalid
import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonBoolean
import io.handlens.artifact.JsonNull
import io.handlens.artifact.JsonNumber
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import io.handlens.artifact.JsonValue

/**
 * Reads a manifest's `decoding`, as strictly as Python: exact types, no unknown key.
 *
 * @throws ManifestInvalid a key is unknown, or one of [required] is missing.
 */
internal class Fields(private val json: JsonObject, valid: List<String>, required: List<String>) {
    init {
        val unknown = json.entries.keys.filter { it !in valid }.minOrNull()
        if (unknown != null) {
            throw ManifestInvalid("$WHERE has unknown key '${unknown.take(80)}'; valid keys: ${valid.joinToString()}")
        }
        val missing = required.filter { it !in json.entries }
        if (missing.isNotEmpty()) throw ManifestInvalid("$WHERE lacks ${missing.joinToString()}")
    }

    /** One of a few words; [default] where the key is missing. */
    fun choice(key: String, valid: List<String>, default: String): String {
        val value = json[key] ?: return default
        if (value is JsonText && value.value in valid) return value.value
        throw invalid(key, value, "valid: ${valid.joinToString()}")
    }

    /** One of a few words; null where the key is missing or null. */
    fun choiceOrNull(key: String, valid: List<String>): String? =
        if (json[key] == null || json[key] == JsonNull) null else choice(key, valid, "")

    /** A finite number; [default] where the key is missing. */
    fun number(key: String, default: Double): Double {
        val value = json[key] ?: return default
        if (value is JsonNumber && !value.value.isInfinite()) return value.value
        throw invalid(key, value, "expected a finite number")
    }

    /** True or false; [default] where the key is missing. */
    fun flag(key: String, default: Boolean): Boolean {
        val value = json[key] ?: return default
        return (value as? JsonBoolean ?: throw invalid(key, value, "expected true or false")).value
    }

    /** A list of whole numbers; empty where the key is missing. */
    fun wholes(key: String): List<Int> = list(json[key], key).mapIndexed { index, value ->
        val whole = (value as? JsonNumber)?.whole ?: throw invalid("$key[$index]", value, "expected a whole number")
        whole.coerceIn(Int.MIN_VALUE.toLong(), Int.MAX_VALUE.toLong()).toInt()
    }

    /** An object of texts; empty where the key is missing. */
    fun texts(key: String): Map<String, String> =
        entries(key).mapValues { (name, value) -> text("$key.$name", value) }

    /** An object of lists of texts; empty where the key is missing. */
    fun textLists(key: String): Map<String, List<String>> = entries(key).mapValues { (name, value) ->
        list(value, "$key.$name").mapIndexed { index, item -> text("$key.$name[$index]", item) }
    }

    private fun entries(key: String): Map<String, JsonValue> {
        val value = json[key] ?: return emptyMap()
        return (value as? JsonObject ?: throw invalid(key, value, "expected an object")).entries
    }

    private fun list(value: JsonValue?, key: String): List<JsonValue> {
        if (value == null) return emptyList()
        return (value as? JsonArray ?: throw invalid(key, value, "expected a list")).items
    }

    private fun text(key: String, value: JsonValue): String =
        (value as? JsonText ?: throw invalid(key, value, "expected text")).value

    private fun invalid(key: String, value: JsonValue, expected: String): ManifestInvalid =
        ManifestInvalid("$WHERE.$key is ${value.toString().take(SHOWN)}; $expected")

    private companion object {
        const val WHERE = "manifest.decoding"
        const val SHOWN = 80
    }
}
