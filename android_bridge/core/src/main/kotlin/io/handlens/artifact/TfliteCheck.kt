package io.handlens.artifact

/**
 * A light look at a TFLite FlatBuffer: is it one, and does everything that it points at exist?
 *
 * FlatBuffers (little endian): a table begins with a signed offset back to its vtable; the vtable lists where each
 * field stands (0: absent); strings, vectors and tables are reached by unsigned forward offsets. Field numbers are
 * those of TensorFlow Lite's schema.fbs, version 3.
 */
internal class TfliteCheck(private val data: Bytes) {
    private val size = data.size

    private class Items(val begin: Int, val length: Int)

    fun check() {
        if (size < 16 || !data.startsWith(IDENTIFIER, 4)) {
            throw Malformed("no TFLite model: bytes 4 to 8 are not $IDENTIFIER")
        }
        val root = u32(0)
        table(root)
        val version = scalar32(root, 0)
        if (version != 3L) throw Malformed("TFLite schema version $version; expected 3")
        val buffers = tables(root, 4)
        for (buffer in buffers) {
            vector(buffer, 0, 1)
            val start = scalar64(buffer, 1)
            val length = scalar64(buffer, 2)
            // Negative here is 2^63 and more there.
            if (start < 0 || length < 0 || start > size || length > size - start) {
                throw CutShort("a buffer of $length bytes at $start ends beyond the $size bytes there are")
            }
        }
        val codes = tables(root, 1).size
        val subgraphs = tables(root, 2)
        if (subgraphs.isEmpty()) throw Malformed("the model has no subgraph")
        for (subgraph in subgraphs) subgraph(subgraph, buffers.size, codes)
        for (signature in tables(root, 7)) {
            for (field in 0..1) for (entry in tables(signature, field)) vector(entry, 0, 1)
        }
    }

    private fun subgraph(subgraph: Long, buffers: Int, codes: Int) {
        val tensors = tables(subgraph, 0)
        for (tensor in tensors) {
            vector(tensor, 0, 4)
            vector(tensor, 3, 1)
            val buffer = scalar32(tensor, 2)
            if (buffer >= buffers) throw Malformed("a tensor uses buffer $buffer of $buffers")
        }
        indices(subgraph, 1, tensors.size, 0)
        indices(subgraph, 2, tensors.size, 0)
        for (operator in tables(subgraph, 3)) {
            val code = scalar32(operator, 0)
            if (code >= codes) throw Malformed("an operator uses code $code of $codes")
            indices(operator, 1, tensors.size, -1) // -1: an optional input left out
            indices(operator, 2, tensors.size, 0)
        }
    }

    private fun indices(table: Long, field: Int, count: Int, lowest: Int) {
        val items = vector(table, field, 4)
        if (items.length > MAX_ITEMS) throw Malformed("a list of ${items.length} tensors; at most $MAX_ITEMS")
        for (place in 0 until items.length) {
            val index = data.i32(items.begin + 4 * place)
            if (index !in lowest until count) throw Malformed("tensor index $index of $count")
        }
    }

    private fun u32(at: Long): Long {
        if (at !in 0..size - 4L) throw CutShort("an offset points to byte $at of $size")
        return data.u32(at.toInt())
    }

    /** The place of the table's vtable, which and the table itself lie within the bytes. */
    private fun table(at: Long): Int {
        if (at !in 0..size - 4L) throw CutShort("a table at byte $at of $size")
        val vtable = at - data.i32(at.toInt())
        if (vtable !in 0..size - 4L) throw CutShort("a vtable at byte $vtable of $size")
        val length = data.u16(vtable.toInt())
        val span = data.u16(vtable.toInt() + 2)
        if (length < 4 || length % 2 != 0 || span < 4 || vtable + length > size || at + span > size) {
            throw CutShort("a table at byte $at ends beyond the $size bytes there are")
        }
        return vtable.toInt()
    }

    /** Where a field's value stands; -1 where it is absent. */
    private fun field(table: Long, field: Int, width: Int): Int {
        val vtable = table(table)
        val slot = 4 + 2 * field
        if (slot + 2 > data.u16(vtable)) return -1
        val offset = data.u16(vtable + slot)
        if (offset == 0) return -1
        if (offset < 4 || offset + width > data.u16(vtable + 2)) {
            throw Malformed("field $field of the table at byte $table lies outside it")
        }
        return table.toInt() + offset
    }

    private fun scalar32(table: Long, field: Int): Long {
        val at = field(table, field, 4)
        return if (at < 0) 0 else data.u32(at)
    }

    private fun scalar64(table: Long, field: Int): Long {
        val at = field(table, field, 8)
        return if (at < 0) 0 else data.i64(at)
    }

    /** Where the vector's items begin, and how many there are (0 when absent). */
    private fun vector(table: Long, field: Int, width: Int): Items {
        val at = field(table, field, 4)
        if (at < 0) return Items(0, 0)
        val begin = at + u32(at.toLong())
        val length = u32(begin)
        if (begin + 4 + length * width > size) {
            throw CutShort("${length * width} bytes at $begin end beyond the $size bytes there are")
        }
        return Items(begin.toInt() + 4, length.toInt())
    }

    private fun tables(table: Long, field: Int): LongArray {
        val items = vector(table, field, 4)
        if (items.length > MAX_ITEMS) throw Malformed("a list of ${items.length} items; at most $MAX_ITEMS")
        return LongArray(items.length) { index ->
            val at = items.begin + 4L * index
            (at + u32(at)).also { table(it) }
        }
    }

    companion object {
        const val IDENTIFIER = "TFL3"
        private const val MAX_ITEMS = 50_000
    }
}
