package io.handlens.artifact

import io.handlens.ManifestInvalid

/** A JSON value that has passed [Json.parse]; immutable. */
public sealed class JsonValue

/** `null`. */
public data object JsonNull : JsonValue()

/** `true` or `false`. */
public data class JsonBoolean(public val value: Boolean) : JsonValue()

/** Text, with its escapes resolved. */
public data class JsonText(public val value: String) : JsonValue()

/**
 * A number.
 *
 * @property value as a double; infinite where the text was beyond a double's range.
 * @property whole the number where it was written without fraction or exponent and lies within 2^53; else null.
 * @property isWhole whether it was written without fraction or exponent.
 */
public data class JsonNumber(
    public val value: Double,
    public val whole: Long? = null,
    public val isWhole: Boolean = whole != null,
) : JsonValue()

/** A list. */
public data class JsonArray(public val items: List<JsonValue>) : JsonValue()

/** An object; [entries] keep the order of the text. */
public data class JsonObject(public val entries: Map<String, JsonValue>) : JsonValue() {
    /** The value of a key; null where there is none. */
    public operator fun get(key: String): JsonValue? = entries[key]

    public companion object {
        /** An object without keys. */
        public val EMPTY: JsonObject = JsonObject(emptyMap())
    }
}

/** Strict JSON: no duplicate keys, no NaN or infinity, bounded nesting. */
public object Json {
    /** How deep lists and objects may nest. */
    public const val MAX_DEPTH: Int = 32

    /**
     * Parses a text that is one JSON value.
     *
     * @param what names the text in messages, such as `the manifest`.
     * @throws ManifestInvalid the text is not such JSON.
     */
    public fun parse(text: String, what: String): JsonValue = JsonReader(text, what).read()
}
