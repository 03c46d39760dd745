package io.handlens.artifact

import io.handlens.ArtifactTampered
import java.util.zip.CRC32
import java.util.zip.DataFormatException
import java.util.zip.Inflater

/**
 * A ZIP that is read only if handlens wrote it: local entries one after another, the directory straight behind them,
 * the end record behind that; no gaps, no flags, no extra fields, no second way to see it.
 */
internal class StrictZip private constructor(val start: Int, val parts: Map<String, ByteArray>) {
    private class Entry(
        val name: String,
        val method: Int,
        val crc: Long,
        val packed: Long,
        val size: Long,
        val offset: Long,
    )

    companion object {
        const val END = 22
        private const val LOCAL = 30
        private const val CENTRAL = 46
        private const val MAX_ENTRIES = 24
        private const val VERSION = 20
        private const val UNIX = 3 shl 8
        private const val DATE = 33
        private const val MODE = 0x81A40000L // 0o100644 << 16

        /**
         * Reads the ZIP that ends [commentLength] bytes before the end of [data].
         *
         * @param limit the largest unpacked size of a name; null where the name is unknown.
         */
        fun read(data: Bytes, commentLength: Int, limit: (String) -> Int?): StrictZip {
            val end = data.size - END - commentLength
            if (end < 0) throw ArtifactTampered("the ZIP's end record is missing")
            val whole = data.startsWith("PK\u0005\u0006", end) && data.i32(end + 4) == 0 &&
                data.u16(end + 8) == data.u16(end + 10) && data.u16(end + 20) == commentLength
            if (!whole) throw ArtifactTampered("the ZIP's end record is damaged")
            val count = data.u16(end + 8)
            val size = data.u32(end + 12)
            val offset = data.u32(end + 16)
            if (count !in 1..MAX_ENTRIES || offset + size != end.toLong()) {
                throw ArtifactTampered(
                    "the ZIP's directory of $count entries, $size bytes at $offset, does not fit the file",
                )
            }
            val entries = directory(data, offset.toInt(), end, count)
            val parts = LinkedHashMap<String, ByteArray>()
            var expected = entries[0].offset
            for (entry in entries) {
                val most = limit(entry.name)
                if (most == null || entry.name in parts) {
                    throw ArtifactTampered("the ZIP holds ${show(entry.name)}, which is unknown there or a duplicate")
                }
                if (entry.size > most) {
                    throw ArtifactTampered("${entry.name} unpacks to ${entry.size} bytes; at most $most")
                }
                if (entry.offset != expected) {
                    throw ArtifactTampered(
                        "${entry.name} stands at ${entry.offset}; expected $expected: the ZIP has a gap",
                    )
                }
                val begin = entry.offset + LOCAL + entry.name.length
                expected = begin + entry.packed
                if (expected > offset) throw ArtifactTampered("${entry.name} reaches past the ZIP's directory")
                checkLocal(data, entry)
                parts[entry.name] = content(data, entry, begin.toInt())
            }
            if (expected != offset) {
                throw ArtifactTampered("there are bytes between the ZIP's entries and its directory")
            }
            return StrictZip(entries[0].offset.toInt(), parts)
        }

        private fun directory(data: Bytes, begin: Int, end: Int, count: Int): List<Entry> {
            val entries = ArrayList<Entry>(count)
            var at = begin
            repeat(count) {
                if (at + CENTRAL > end) throw ArtifactTampered("the ZIP's directory is cut short")
                val length = data.u16(at + 28)
                val method = data.u16(at + 10)
                val ours = data.startsWith("PK\u0001\u0002", at) && data.u16(at + 4) == (UNIX or VERSION) &&
                    data.u16(at + 6) == VERSION && data.u16(at + 8) == 0 && (method == 0 || method == 8) &&
                    data.u16(at + 12) == 0 && data.u16(at + 14) == DATE && data.u16(at + 30) == 0 &&
                    data.i32(at + 32) == 0 && data.u16(at + 36) == 0 && data.u32(at + 38) == MODE
                if (!ours) throw ArtifactTampered("the ZIP's directory holds an entry that handlens did not write")
                val from = at + CENTRAL
                if (from + length > end) throw ArtifactTampered("the ZIP's directory is cut short")
                val name = data.ascii(from, from + length)
                val crc = data.u32(at + 16)
                entries += Entry(name, method, crc, data.u32(at + 20), data.u32(at + 24), data.u32(at + 42))
                at = from + length
            }
            if (at != end) throw ArtifactTampered("there are bytes between the ZIP's directory and its end record")
            return entries
        }

        private fun checkLocal(data: Bytes, entry: Entry) {
            val at = entry.offset.toInt()
            val agrees = data.startsWith("PK\u0003\u0004", at) && data.u16(at + 4) == VERSION &&
                data.u16(at + 6) == 0 && data.u16(at + 8) == entry.method && data.u16(at + 10) == 0 &&
                data.u16(at + 12) == DATE && data.u32(at + 14) == entry.crc && data.u32(at + 18) == entry.packed &&
                data.u32(at + 22) == entry.size && data.u16(at + 26) == entry.name.length &&
                data.u16(at + 28) == 0 && data.startsWith(entry.name, at + LOCAL)
            if (!agrees) throw ArtifactTampered("${entry.name}: its header and the ZIP's directory disagree")
        }

        private fun content(data: Bytes, entry: Entry, begin: Int): ByteArray {
            val packed = data.copy(begin, begin + entry.packed.toInt())
            val content = if (entry.method == 0) packed else inflated(packed, entry)
            val crc = CRC32()
            crc.update(content, 0, content.size)
            if (content.size.toLong() != entry.size || crc.value != entry.crc) {
                throw ArtifactTampered("${entry.name} does not unpack to the content its header declares")
            }
            return content
        }

        private fun inflated(packed: ByteArray, entry: Entry): ByteArray {
            val inflater = Inflater(true)
            try {
                inflater.setInput(packed)
                // One byte more than declared is enough to see a lie, and all that a bomb gets.
                val content = ByteArray(entry.size.toInt() + 1)
                var filled = 0
                while (filled < content.size && !inflater.finished()) {
                    val more = inflater.inflate(content, filled, content.size - filled)
                    if (more == 0) break
                    filled += more
                }
                if (!inflater.finished() || inflater.remaining != 0) {
                    throw ArtifactTampered("${entry.name} does not unpack to the ${entry.size} bytes it declares")
                }
                return content.copyOf(filled)
            } catch (error: DataFormatException) {
                throw ArtifactTampered("${entry.name} does not unpack: ${error.message}", error)
            } finally {
                inflater.end()
            }
        }
    }
}
