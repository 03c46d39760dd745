package io.handlens.parity

/** Values as a line of JSON: null, booleans, finite numbers, text, lists and maps with names. */
internal fun jsonLine(value: Any?): String = StringBuilder().also { write(value, it) }.toString()

private fun write(value: Any?, to: StringBuilder) {
    when (value) {
        null, is Boolean, is Int, is Long -> to.append(value)
        is Double -> to.append(finite(value))
        is Float -> finite(value.toDouble()).also { to.append(value) }
        is String -> text(value, to)
        is FloatArray -> write(value.asList(), to)
        is List<*> -> joined(value, '[', ']', to) { write(it, to) }
        is Map<*, *> -> joined(value.entries, '{', '}', to) { (name, item) ->
            text(name as String, to)
            to.append(':')
            write(item, to)
        }
        else -> throw IllegalArgumentException("JSON knows no ${value::class}")
    }
}

private fun finite(value: Double): Double = value.also { require(it.isFinite()) { "JSON knows no $it" } }

private fun <T> joined(items: Collection<T>, open: Char, close: Char, to: StringBuilder, each: (T) -> Unit) {
    to.append(open)
    items.forEachIndexed { index, item ->
        if (index > 0) to.append(',')
        each(item)
    }
    to.append(close)
}

private fun text(value: String, to: StringBuilder) {
    to.append('"')
    for (char in value) {
        when {
            char == '"' || char == '\\' -> to.append('\\').append(char)
            char < ' ' -> to.append("\\u%04x".format(char.code))
            else -> to.append(char)
        }
    }
    to.append('"')
}
