package io.handlens.door

import io.handlens.AlreadyEnrolled
import io.handlens.HandlensException
import io.handlens.InputError
import io.handlens.StoreTampered
import io.handlens.UnknownName
import io.handlens.artifact.Json
import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonNumber
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.text.Normalizer
import kotlin.io.encoding.Base64

/** A person's templates (each of length 1), as enrolled; [enrolled] is when, ISO 8601 in UTC. */
internal class Record(val name: String, val templates: List<FloatArray>, val enrolled: String)

private const val LONGEST_NAME = 80
private const val TAKEN = "choose another name, forget that one first, or say that it is to be replaced (replace = true)"

/**
 * Brings a name to one spelling: Unicode NFC, spaces at the ends removed.
 *
 * @throws InputError it is empty, too long, or holds control characters.
 */
internal fun cleanName(name: String): String {
    val cleaned = Normalizer.normalize(name, Normalizer.Form.NFC).trim { it.isWhitespace() || it == '\u0085' }
    val length = cleaned.codePointCount(0, cleaned.length)
    if (length !in 1..LONGEST_NAME || !isPrintable(cleaned)) {
        throw InputError("the name is '${name.take(100)}'; expected 1 to $LONGEST_NAME printable characters")
    }
    return cleaned
}

private fun isPrintable(text: String): Boolean {
    var index = 0
    while (index < text.length) {
        val point = text.codePointAt(index)
        when (Character.getType(point).toByte()) {
            Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.UNASSIGNED,
            Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR,
            -> return false
            Character.SPACE_SEPARATOR -> if (point != ' '.code) return false
        }
        index += Character.charCount(point)
    }
    return true
}

/**
 * Templates at rest: one sealed file for each model, read and written whole; the same as Python's. Every method wants the
 * store's lock held.
 */
internal class Vault(private val store: Store, private val modelId: String, private val dimension: Int) {
    /** All records, by name, in the order they were enrolled. */
    fun read(): Map<String, Record> =
        store.readVault(modelId)?.let { parse(it, dimension, "${store.folder}") } ?: emptyMap()

    /** Adds a person. Replacing deletes the old templates as [forget] does, with a new key. */
    fun put(record: Record, replace: Boolean) {
        val records = read()
        val known = record.name in records
        if (known && !replace) throw taken(record.name)
        if (known) store.startRotation()
        store.writeVault(modelId, dump((records + (record.name to record)).values))
        store.finishRotation()
    }

    companion object {
        fun taken(name: String) = AlreadyEnrolled("'$name' is enrolled already", TAKEN)

        /** Deletes a person's templates of every model, and changes the master key. Returns how many models had some. */
        fun forget(store: Store, name: String): Int {
            val left = LinkedHashMap<String, Map<String, Record>>()
            for (modelId in store.vaults()) {
                val records = store.readVault(modelId)?.let { parse(it, null, "${store.folder}") }.orEmpty()
                if (name in records) left[modelId] = records - name
            }
            if (left.isEmpty()) throw UnknownName("nobody is enrolled under the name '$name'", "check the spelling")
            store.startRotation()
            for ((modelId, records) in left) store.writeVault(modelId, dump(records.values))
            store.finishRotation()
            return left.size
        }

        fun dump(records: Collection<Record>): ByteArray {
            val rows = records.map { record ->
                val dimension = record.templates.first().size
                val bytes = ByteBuffer.allocate(4 * dimension * record.templates.size).order(ByteOrder.LITTLE_ENDIAN)
                record.templates.forEach { template -> template.forEach(bytes::putFloat) }
                jsonOf(
                    "name" to record.name,
                    "enrolled" to record.enrolled,
                    "dimension" to dimension,
                    "templates" to Base64.Default.encode(bytes.array()),
                )
            }
            return writeJson(JsonArray(rows)).encodeToByteArray()
        }

        /** Reads what [dump] wrote; it was authenticated, so a mistake in it is ours or a newer handlens's. */
        fun parse(plain: ByteArray, dimension: Int?, where: String): Map<String, Record> = try {
            val rows = Json.parse(plain.decodeToString(), "the templates") as JsonArray
            rows.items.map { record(it as JsonObject, dimension) }.associateBy { it.name }
        } catch (error: RuntimeException) {
            if (error !is ClassCastException && error !is IllegalArgumentException && error !is HandlensException &&
                error !is NullPointerException
            ) {
                throw error
            }
            throw StoreTampered(
                "$where: its templates cannot be read (${error.message}); was it written by a newer handlens?",
            )
        }

        private fun record(row: JsonObject, dimension: Int?): Record {
            val size = requireNotNull((row["dimension"] as JsonNumber).whole) { "a dimension is no whole number" }.toInt()
            require(dimension == null || size == dimension) { "templates of $size numbers, expected $dimension" }
            val bytes = Base64.Default.decode((row["templates"] as JsonText).value)
            require(size > 0 && bytes.size % (4 * size) == 0) { "templates of ${bytes.size} bytes" }
            val values = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
            val templates = List(bytes.size / (4 * size)) { FloatArray(size).also(values::get) }
            return Record((row["name"] as JsonText).value, templates, (row["enrolled"] as JsonText).value)
        }
    }
}
