package io.handlens.artifact

import io.handlens.ManifestInvalid

/**
 * The keys of a JSON object, taken by name and type: exact types, no unknown keys.
 *
 * @throws ManifestInvalid no object, an unknown key or a missing one.
 */
internal class Fields(value: JsonValue, val where: String, required: String, optional: String = "") {
    private val entries: Map<String, JsonValue>

    init {
        entries = (value as? JsonObject)?.entries ?: wrong(where, value, "an object")
        val needed = required.split(' ')
        val valid = if (optional.isEmpty()) needed else needed + optional.split(' ')
        entries.keys.filter { it !in valid }.minOrNull()?.let {
            throw ManifestInvalid("$where has unknown key ${show(it)}; valid keys: ${valid.joinToString()}")
        }
        val missing = needed.filter { it !in entries }
        if (missing.isNotEmpty()) throw ManifestInvalid("$where lacks ${missing.joinToString()}")
    }

    operator fun contains(key: String): Boolean = key in entries

    /** The value of a required key, or of one that is there. */
    fun value(key: String): JsonValue = entries.getValue(key)

    fun place(key: String): String = "$where.$key"

    fun text(key: String): String = text(value(key), place(key))

    fun text(key: String, default: String): String = if (key in entries) text(key) else default

    fun whole(key: String): Long = whole(value(key), place(key))

    /** A whole number as an Int; one beyond its range becomes the range's end, which no rule lets pass. */
    fun int(key: String): Int = clip(whole(key))

    fun number(key: String): Double = number(value(key), place(key))

    fun numberOrNull(key: String): Double? = optional(key) { number(it, place(key)) }

    fun intOrNull(key: String): Int? = optional(key) { clip(whole(it, place(key))) }

    fun <T> optional(key: String, read: (JsonValue) -> T): T? =
        entries[key]?.takeIf { it != JsonNull }?.let(read)

    fun <T> list(key: String, read: (JsonValue, String) -> T): List<T> =
        if (key in entries) list(value(key), place(key), read) else emptyList()

    fun numbers(key: String): List<Double> = list(key, ::number)

    /** One of some words. */
    fun <T> choice(key: String, choices: List<T>, word: (T) -> String, default: T? = null): T {
        val found = entries[key] ?: return checkNotNull(default)
        return choices.firstOrNull { found is JsonText && word(it) == found.value }
            ?: throw ManifestInvalid("${place(key)} is ${describe(found)}; valid: ${choices.joinToString { word(it) }}")
    }

    companion object {
        private const val MAX_TEXT = 65_536
        private const val MAX_ITEMS = 4_096
        private const val MAX_DEPTH = 16

        fun text(value: JsonValue, where: String): String {
            val text = (value as? JsonText)?.value
            if (text == null || text.codePointCount(0, text.length) > MAX_TEXT) {
                wrong(where, value, "text of at most $MAX_TEXT characters")
            }
            checkText(text, where)
            return text
        }

        fun whole(value: JsonValue, where: String): Long =
            (value as? JsonNumber)?.whole ?: wrong(where, value, "a whole number")

        fun number(value: JsonValue, where: String): Double =
            (value as? JsonNumber)?.value?.takeIf { !it.isInfinite() } ?: wrong(where, value, "a finite number")

        fun <T> list(value: JsonValue, where: String, read: (JsonValue, String) -> T): List<T> {
            val items = (value as? JsonArray)?.items ?: wrong(where, value, "a list")
            bounded(items.size, where)
            return items.mapIndexed { index, item -> read(item, "$where[$index]") }
        }

        fun <T> map(value: JsonValue, where: String, read: (JsonValue, String) -> T): Map<String, T> {
            val entries = (value as? JsonObject)?.entries ?: wrong(where, value, "an object")
            bounded(entries.size, where)
            return entries.entries.associate { (key, item) ->
                checkText(key, where)
                key to read(item, "$where.${show(key)}")
            }
        }

        /** Holds free JSON to the same rules: bounded, finite, printable. */
        fun checkPlain(value: JsonValue, where: String, depth: Int = 0) {
            if (depth > MAX_DEPTH) throw ManifestInvalid("$where nests deeper than $MAX_DEPTH levels")
            when (value) {
                is JsonText -> text(value, where)
                is JsonNumber -> if (value.isWhole) whole(value, where) else number(value, where)
                is JsonArray -> list(value, where) { item, place -> checkPlain(item, place, depth + 1) }
                is JsonObject -> map(value, where) { item, place -> checkPlain(item, place, depth + 1) }
                is JsonBoolean, JsonNull -> Unit
            }
        }

        fun clip(value: Long): Int = value.coerceIn(Int.MIN_VALUE.toLong(), Int.MAX_VALUE.toLong()).toInt()

        private fun bounded(size: Int, where: String) {
            if (size > MAX_ITEMS) throw ManifestInvalid("$where has $size items; at most $MAX_ITEMS")
        }

        /** No control characters (a terminal would obey them) and no lone surrogates (they cannot be printed). */
        private fun checkText(text: String, where: String) {
            var at = 0
            while (at < text.length) {
                val code = text.codePointAt(at)
                val control = code < 32 && code != 10 && code != 9 || code in 127..159
                if (control || code in 0xD800..0xDFFF) {
                    throw ManifestInvalid("$where is ${show(text)}; text must not hold control characters")
                }
                at += Character.charCount(code)
            }
        }

        private fun wrong(where: String, value: JsonValue, expected: String): Nothing =
            throw ManifestInvalid("$where is ${describe(value)}; expected $expected")

        private fun describe(value: JsonValue): String = when (value) {
            is JsonText -> show(value.value)
            is JsonNumber -> (value.whole ?: value.value).toString()
            is JsonBoolean -> value.value.toString()
            is JsonArray -> "a list of ${value.items.size}"
            is JsonObject -> "an object"
            JsonNull -> "null"
        }
    }
}
