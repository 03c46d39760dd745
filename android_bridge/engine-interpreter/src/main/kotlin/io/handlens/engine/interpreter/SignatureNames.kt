package io.handlens.engine.interpreter

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * The names that a `.tflite`'s signature gives the inputs and outputs of its main graph, in the graph's order.
 *
 * TFLite's Java `InterpreterApi` knows the tensors' own names alone (such as `StatefulPartitionedCall:0`); those of
 * the signature stand in the file. Field numbers are those of TensorFlow Lite's schema.fbs, version 3; the model was
 * checked when the artifact was opened, so every offset points inside it.
 *
 * @property inputs null where the model has no signature.
 * @property outputs the same.
 */
internal class SignatureNames private constructor(val inputs: List<String>?, val outputs: List<String>?) {
    companion object {
        private const val DEFAULT_SIGNATURE = "serving_default"

        /** Reads them from [model], position 0 to its limit. */
        fun of(model: ByteBuffer): SignatureNames {
            val file = Tables(model.duplicate().order(ByteOrder.LITTLE_ENDIAN))
            val root = file.u32(0)
            val signatures = file.tables(root, 7)
            val signature = signatures.firstOrNull { file.text(it, 2) == DEFAULT_SIGNATURE }
                ?: signatures.firstOrNull()
                ?: return SignatureNames(null, null)
            val graph = file.tables(root, 2)[file.scalar(signature, 4)]
            return SignatureNames(
                named(file.ints(graph, 1), file, signature, 0),
                named(file.ints(graph, 2), file, signature, 1),
            )
        }

        private fun named(tensors: List<Int>, file: Tables, signature: Int, field: Int): List<String>? {
            val names = file.tables(signature, field).associate { file.scalar(it, 1) to file.text(it, 0) }
            return tensors.map { names[it] ?: return null }
        }
    }

    /** FlatBuffers: tables begin with an offset back to a table of where their fields stand. */
    private class Tables(private val bytes: ByteBuffer) {
        fun u32(at: Int): Int = bytes.getInt(at)

        fun scalar(table: Int, field: Int): Int = field(table, field)?.let(bytes::getInt) ?: 0

        fun text(table: Int, field: Int): String {
            val (begin, length) = vector(table, field)
            return String(ByteArray(length) { bytes.get(begin + it) }, Charsets.UTF_8)
        }

        fun ints(table: Int, field: Int): List<Int> {
            val (begin, length) = vector(table, field)
            return List(length) { bytes.getInt(begin + Int.SIZE_BYTES * it) }
        }

        fun tables(table: Int, field: Int): List<Int> {
            val (begin, length) = vector(table, field)
            return List(length) { (begin + Int.SIZE_BYTES * it).let { at -> at + u32(at) } }
        }

        private fun vector(table: Int, field: Int): Pair<Int, Int> {
            val at = field(table, field) ?: return 0 to 0
            val begin = at + u32(at)
            return begin + Int.SIZE_BYTES to u32(begin)
        }

        private fun field(table: Int, field: Int): Int? {
            val vtable = table - bytes.getInt(table)
            val slot = Int.SIZE_BYTES + Short.SIZE_BYTES * field
            if (slot + Short.SIZE_BYTES > bytes.getShort(vtable).toInt()) return null
            return bytes.getShort(vtable + slot).toInt().takeIf { it != 0 }?.let(table::plus)
        }
    }
}
