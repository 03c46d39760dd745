package io.handlens.artifact

import io.handlens.ManifestInvalid

/** One pass over a text, by recursive descent; as strict as Python's `json` with handlens's hooks. */
internal class JsonReader(private val text: String, private val what: String) {
    private var at = 0

    fun read(): JsonValue {
        val value = value(0)
        skipSpace()
        if (at < text.length) fail("extra text at character $at")
        return value
    }

    private fun value(depth: Int): JsonValue {
        if (depth > Json.MAX_DEPTH) fail("it nests deeper than ${Json.MAX_DEPTH} levels")
        skipSpace()
        return when (peek()) {
            '{' -> readObject(depth)
            '[' -> readArray(depth)
            '"' -> JsonText(readText())
            't' -> word("true", JsonBoolean(true))
            'f' -> word("false", JsonBoolean(false))
            'n' -> word("null", JsonNull)
            else -> readNumber()
        }
    }

    private fun readObject(depth: Int): JsonObject {
        at++
        val entries = LinkedHashMap<String, JsonValue>()
        skipSpace()
        if (peek() == '}') {
            at++
            return JsonObject(entries)
        }
        while (true) {
            skipSpace()
            if (peek() != '"') fail("expected a key in double quotes at character $at")
            val key = readText()
            skipSpace()
            if (peek() != ':') fail("expected ':' at character $at")
            at++
            val value = value(depth + 1)
            if (entries.put(key, value) != null) throw ManifestInvalid("$what repeats the key ${show(key)}")
            if (ends('}')) return JsonObject(entries)
        }
    }

    private fun readArray(depth: Int): JsonArray {
        at++
        val items = ArrayList<JsonValue>()
        skipSpace()
        if (peek() == ']') {
            at++
            return JsonArray(items)
        }
        while (true) {
            items.add(value(depth + 1))
            if (ends(']')) return JsonArray(items)
        }
    }

    /** Steps over the mark that ends a list (true), or the comma before its next item. */
    private fun ends(mark: Char): Boolean {
        skipSpace()
        val next = peek()
        if (next != mark && next != ',') fail("expected ',' or '$mark' at character $at")
        at++
        return next == mark
    }

    private fun readText(): String {
        at++
        val built = StringBuilder()
        while (true) {
            val char = peek()
            at++
            when {
                char == '"' -> return built.toString()
                char == '\\' -> built.append(escape())
                char < ' ' -> fail("a control character in text at character ${at - 1}")
                else -> built.append(char)
            }
        }
    }

    private fun escape(): Char {
        val char = peek()
        at++
        return when (char) {
            '"', '\\', '/' -> char
            'b' -> '\b'
            'f' -> '\u000c'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> {
                var code = 0
                repeat(4) {
                    val digit = HEX.indexOf(peek().lowercaseChar())
                    if (digit < 0) fail("a bad \\u escape at character $at")
                    code = code * 16 + digit
                    at++
                }
                code.toChar()
            }
            else -> fail("a bad escape at character ${at - 1}")
        }
    }

    private fun readNumber(): JsonNumber {
        val start = at
        if (at < text.length && text[at] == '-') at++
        if (at < text.length && text[at] == '0') at++ else digits()
        var whole = true
        if (at + 1 < text.length && text[at] == '.' && text[at + 1] in '0'..'9') {
            whole = false
            at++
            digits()
        }
        if (at < text.length && (text[at] == 'e' || text[at] == 'E')) {
            val mark = at
            at++
            if (at < text.length && (text[at] == '+' || text[at] == '-')) at++
            if (at < text.length && text[at] in '0'..'9') {
                whole = false
                digits()
            } else {
                at = mark
            }
        }
        val number = text.substring(start, at)
        val long = if (whole) number.toLongOrNull()?.takeIf { it in -MAX_WHOLE..MAX_WHOLE } else null
        return JsonNumber(number.toDouble(), long, whole)
    }

    private fun digits() {
        if (at >= text.length || text[at] !in '0'..'9') fail("no JSON value at character $at")
        while (at < text.length && text[at] in '0'..'9') at++
    }

    private fun word(word: String, value: JsonValue): JsonValue {
        if (!text.startsWith(word, at)) fail("no JSON value at character $at")
        at += word.length
        return value
    }

    private fun skipSpace() {
        while (at < text.length && text[at] in " \t\n\r") at++
    }

    private fun peek(): Char = if (at < text.length) text[at] else fail("it ends early, after $at characters")

    private fun fail(why: String): Nothing = throw ManifestInvalid("$what is not JSON: $why")

    private companion object {
        const val HEX = "0123456789abcdef"
        const val MAX_WHOLE = 1L shl 53
    }
}

/** A text for a message: short, printable ASCII. */
internal fun show(text: String): String {
    val safe = StringBuilder("'")
    for (char in text) {
        if (safe.length > 79) break
        if (char in ' '..'~') safe.append(char) else safe.append("\\u").append(char.code.toString(16).padStart(4, '0'))
    }
    return safe.append('\'').toString()
}
