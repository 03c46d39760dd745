package io.handlens.artifact

import io.handlens.ManifestInvalid
import io.handlens.get
import io.handlens.rows
import io.handlens.testing.VectorLog
import io.handlens.text
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class JsonTest {
    @Test
    fun `every text is read or refused as in Python`() {
        val rows = rows("json.json")
        for (row in rows) {
            val found = try {
                canonical(Json.parse(row[0].text, "the text"))
            } catch (_: ManifestInvalid) {
                null
            }
            assertEquals((row[1] as? JsonText)?.value, found, show(row[0].text))
        }
        VectorLog.record("json", rows.size, 0.0)
    }

    /** The form of tests/golden/make_json.py. */
    private fun canonical(value: JsonValue): String = when (value) {
        JsonNull -> "null"
        is JsonBoolean -> value.value.toString()
        is JsonNumber -> when {
            value.whole != null -> "i${value.whole}"
            value.isWhole -> "w"
            else -> "d" + java.lang.Double.doubleToLongBits(value.value).toULong().toString(16).padStart(16, '0')
        }
        is JsonText -> "s" + value.value.map { it.code.toString(16).padStart(4, '0') }.joinToString("")
        is JsonArray -> value.items.joinToString(",", "[", "]") { canonical(it) }
        is JsonObject -> value.entries.entries.joinToString(",", "{", "}") { (key, item) ->
            canonical(JsonText(key)) + ":" + canonical(item)
        }
    }
}
