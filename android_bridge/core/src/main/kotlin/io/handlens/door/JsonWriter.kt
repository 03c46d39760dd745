package io.handlens.door

import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonBoolean
import io.handlens.artifact.JsonNull
import io.handlens.artifact.JsonNumber
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import io.handlens.artifact.JsonValue
import java.math.BigDecimal

/** Writes JSON as Python's `json.dumps` does by default: the header of a sealed file must be equal to the byte. */
internal fun writeJson(value: JsonValue): String = StringBuilder().also { append(it, value) }.toString()

/** An object of texts, whole numbers, doubles and JSON values, in the order given. */
internal fun jsonOf(vararg entries: Pair<String, Any>): JsonObject = JsonObject(entries.associate { (key, value) ->
    key to when (value) {
        is JsonValue -> value
        is String -> JsonText(value)
        is Int -> JsonNumber(value.toDouble(), value.toLong())
        else -> throw IllegalArgumentException("$key is a ${value::class.java.name}")
    }
})

private fun append(into: StringBuilder, value: JsonValue) {
    when (value) {
        JsonNull -> into.append("null")
        is JsonBoolean -> into.append(value.value)
        is JsonText -> quote(into, value.value)
        is JsonNumber -> into.append(value.whole?.toString() ?: BigDecimal(value.value.toString()).toPlainString())
        is JsonArray -> {
            into.append('[')
            value.items.forEachIndexed { index, item ->
                if (index > 0) into.append(", ")
                append(into, item)
            }
            into.append(']')
        }
        is JsonObject -> {
            into.append('{')
            value.entries.entries.forEachIndexed { index, (key, item) ->
                if (index > 0) into.append(", ")
                quote(into, key)
                into.append(": ")
                append(into, item)
            }
            into.append('}')
        }
    }
}

/** A JSON text; what is not ASCII as escapes of UTF-16 unless [plain] is set. */
internal fun quote(into: StringBuilder, text: String, plain: Boolean = false) {
    into.append('"')
    for (unit in text) {
        when {
            unit == '"' -> into.append("\\\"")
            unit == '\\' -> into.append("\\\\")
            unit == '\n' -> into.append("\\n")
            unit == '\r' -> into.append("\\r")
            unit == '\t' -> into.append("\\t")
            unit == '\b' -> into.append("\\b")
            unit == '\u000c' -> into.append("\\f")
            unit < ' ' || (!plain && unit > '~') -> into.append("\\u").append(hex4(unit.code))
            else -> into.append(unit)
        }
    }
    into.append('"')
}

private fun hex4(code: Int): String = code.toString(16).padStart(4, '0')
