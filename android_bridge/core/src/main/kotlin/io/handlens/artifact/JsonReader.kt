package io.handlens.artifact

/** One pass over a text, by recursive descent. */
internal class JsonReader(private val text: String, private val what: String) {
    fun read(): JsonValue = TODO("$text $what")
}
