package io.handlens.artifact

import java.io.ByteArrayOutputStream

/**
 * A light look at an ONNX protobuf, and the field that holds the ZIP.
 *
 * A protobuf message is a row of fields: a varint tag (number << 3 | wire type), then a varint, 8 bytes, 4 bytes, or a
 * varint length and that many bytes. Field numbers are those of onnx.proto.
 */
internal class OnnxCheck(private val data: Bytes) {
    private var at = 0
    private var varint = 0L
    private var tooWide = false

    fun check() {
        var graphs = 0
        fields(0, data.size) { number, kind, begin, end ->
            if (number == CARRIER) throw Malformed("the model part already carries a handlens ZIP")
            if (number == 7L && kind == BYTES) { // ModelProto.graph
                graphs++
                graph(begin, end, 0)
            } else if (number == 25L && kind == BYTES) { // ModelProto.functions
                // FunctionProto.node
                fields(begin, end) { inner, _, start, stop -> if (inner == 7L) node(start, stop, 0) }
            }
        }
        if (graphs != 1) throw Malformed("no ONNX model: $graphs graphs, expected 1")
    }

    private fun graph(begin: Int, end: Int, depth: Int) {
        if (depth > MAX_DEPTH) throw Malformed("graphs nest deeper than $MAX_DEPTH levels")
        fields(begin, end) { number, kind, start, stop ->
            if (kind == BYTES) {
                when (number) {
                    1L -> node(start, stop, depth) // GraphProto.node
                    5L -> tensor(start, stop) // initializer
                    15L -> sparse(start, stop) // sparse_initializer
                }
            }
        }
    }

    private fun node(begin: Int, end: Int, depth: Int) {
        fields(begin, end) { number, _, start, stop -> if (number == 5L) attribute(start, stop, depth) }
    }

    private fun attribute(begin: Int, end: Int, depth: Int) {
        fields(begin, end) { number, _, start, stop ->
            when (number) {
                5L, 10L -> tensor(start, stop) // AttributeProto.t, tensors
                6L, 11L -> graph(start, stop, depth + 1) // g, graphs
                22L, 23L -> sparse(start, stop) // sparse_tensor, sparse_tensors
            }
        }
    }

    private fun sparse(begin: Int, end: Int) {
        // SparseTensorProto.values, indices
        fields(begin, end) { number, _, start, stop -> if (number == 1L || number == 2L) tensor(start, stop) }
    }

    private fun tensor(begin: Int, end: Int) {
        fields(begin, end) { number, _, start, _ ->
            // TensorProto.external_data, data_location (0: here)
            if (number == 13L || number == 14L && start < data.size && data.u8(start) != 0) {
                throw Malformed("a tensor's data lies in another file; an artifact must hold all of it")
            }
        }
    }

    /** Calls [each] with number, wire type, begin and end of each field's value. */
    private inline fun fields(begin: Int, end: Int, each: (Long, Int, Int, Int) -> Unit) {
        var place = begin
        while (place < end) {
            readVarint(place, end)
            val number = if (tooWide) Long.MAX_VALUE else varint ushr 3
            val kind = (varint and 7).toInt()
            val stop: Long
            when (kind) {
                VARINT -> {
                    place = at
                    readVarint(place, end)
                    stop = at.toLong()
                }
                BYTES -> {
                    readVarint(at, end)
                    place = at
                    stop = if (tooWide || varint < 0 || varint > data.size) Long.MAX_VALUE else place + varint
                }
                FIXED64, FIXED32 -> {
                    place = at
                    stop = place + if (kind == FIXED64) 8L else 4L
                }
                else -> throw Malformed("no protobuf: wire type $kind at byte $at")
            }
            if (number == 0L) throw Malformed("no protobuf: field number 0 at byte $place")
            if (stop > end) throw CutShort("field $number at byte $place ends beyond byte $end")
            each(number, kind, place, stop.toInt())
            place = stop.toInt()
        }
    }

    /** Reads into [varint], sets [at] behind it, and [tooWide] where it has more than 64 bits. */
    private fun readVarint(begin: Int, end: Int) {
        var value = 0L
        var place = begin
        for (shift in 0 until 70 step 7) {
            if (place >= end) throw CutShort("a number at byte $place is cut short")
            val byte = data.u8(place)
            place++
            value = value or ((byte and 127).toLong() shl shift)
            if (byte < 128) {
                at = place
                varint = value
                tooWide = shift == 63 && byte > 1
                return
            }
        }
        throw Malformed("a number before byte $place is too long")
    }

    companion object {
        // Unused by ONNX (its ModelProto ends below 100), clear of the numbers protobuf keeps for itself (19000 to
        // 19999).
        private const val CARRIER = 18_508L
        private const val MAX_DEPTH = 16
        private const val VARINT = 0
        private const val FIXED64 = 1
        private const val BYTES = 2
        private const val FIXED32 = 5

        /** The tag and length that stand before a ZIP of [length] bytes. */
        fun carrier(length: Int): ByteArray {
            val out = ByteArrayOutputStream()
            for (number in longArrayOf(CARRIER shl 3 or BYTES.toLong(), length.toLong())) {
                var rest = number
                while (rest > 127) {
                    out.write((rest and 127 or 128).toInt())
                    rest = rest shr 7
                }
                out.write(rest.toInt())
            }
            return out.toByteArray()
        }
    }
}
