package io.handlens.artifact

import io.handlens.ArtifactTampered
import io.handlens.ArtifactTooLarge
import io.handlens.InputError
import io.handlens.ManifestInvalid
import io.handlens.NotAnArtifact
import java.nio.ByteBuffer

/** The order of checks of docs/artifact-format.md; the model is handed out only after the last. */
internal object ArtifactReader {
    private const val MAX_EXTRAS = 16
    private const val EXTRAS = "extras/"
    private const val MIB = 1 shl 20
    private val FIRST = listOf("manifest.json", GoldenReader.INDEX, GoldenReader.VALUES)

    fun read(bytes: ByteBuffer, name: String, maxBytes: Int): Artifact {
        val data = Bytes(bytes)
        if (data.size > maxBytes) {
            throw ArtifactTooLarge("$name has ${data.size} bytes; at most $maxBytes are read (maxBytes)")
        }
        val digest = Seal.verify(data, name)
        val zip = try {
            StrictZip.read(data, Seal.LENGTH, ::limit)
        } catch (error: ArtifactTampered) {
            throw ArtifactTampered("$name: ${error.message}", error)
        }
        val extras = extras(zip.parts, name)
        val kind = ModelCheck.kindOf(data)
        val model = data.part(0, zip.start - if (kind == ModelKind.ONNX) carrier(data, zip.start, name) else 0)
        try {
            ModelCheck.check(model, kind)
        } catch (error: Malformed) {
            throw ArtifactTampered("$name: ${error.message}", error)
        }
        val text = utf8(zip.parts.getValue(FIRST[0])) ?: throw ArtifactTampered("$name: ${FIRST[0]} is not UTF-8")
        val manifest = Manifest.parse(text)
        checkBelongs(name, manifest, kind, model)
        val goldens = GoldenReader.read(zip.parts.getValue(GoldenReader.INDEX), zip.parts.getValue(GoldenReader.VALUES))
        GoldenReader.check(goldens, manifest)
        return Artifact(name, kind, manifest, goldens, digest, data.size, extras, direct(model))
    }

    fun bring(bytes: ByteBuffer, manifest: Manifest, name: String): Artifact {
        val data = Bytes(bytes)
        if (Seal.isSealed(data)) throw InputError("$name has a manifest of its own; open it with Artifact.open")
        val kind = ModelCheck.kindOf(data)
        try {
            ModelCheck.check(data, kind)
        } catch (error: Malformed) {
            throw NotAnArtifact("$name is neither a .tflite nor a .onnx model: ${error.message}", error)
        }
        val own = manifest.copy(modelId = modelId(data))
        checkBelongs(name, own, kind, data)
        return Artifact(name, kind, own, emptyList(), data.sha256(), data.size, emptyMap(), direct(data))
    }

    private fun limit(name: String): Int? = when {
        name == GoldenReader.VALUES -> 16 * MIB
        name in FIRST || name.startsWith(EXTRAS) -> MIB
        else -> null
    }

    private fun extras(parts: Map<String, ByteArray>, name: String): Map<String, ByteArray> {
        val names = parts.keys.toList()
        val others = names.drop(FIRST.size)
        if (names.take(FIRST.size) != FIRST || !others.all { it.startsWith(EXTRAS) }) {
            throw ArtifactTampered(
                "$name carries ${names.joinToString().take(200)}; expected a manifest and goldens, then extras",
            )
        }
        val extras = others.associate { it.removePrefix(EXTRAS) to parts.getValue(it) }
        if (!extras.keys.all(::isExtra) || extras.size > MAX_EXTRAS) {
            throw ArtifactTampered("$name carries extras that do not belong: ${show(extras.keys.joinToString())}")
        }
        return extras
    }

    /** How many bytes before the ZIP are the protobuf field's header. */
    private fun carrier(data: Bytes, start: Int, name: String): Int {
        val header = OnnxCheck.carrier(data.size - start)
        val begin = start - header.size
        if (begin < 0 || !header.indices.all { data.u8(begin + it) == header[it].toInt() and 0xFF }) {
            throw ArtifactTampered("$name: the ZIP is not the last field of an ONNX model, nor follows a TFLite model")
        }
        return header.size
    }

    private fun checkBelongs(name: String, manifest: Manifest, kind: ModelKind, model: Bytes) {
        val found = modelId(model)
        if (manifest.modelId != found) {
            throw ManifestInvalid("$name: the manifest is for model ${manifest.modelId}, the file holds $found")
        }
        if (manifest.compression.format != kind) {
            throw ManifestInvalid(
                "$name: the manifest says ${manifest.compression.format.key}, the model is a .${kind.key}",
            )
        }
    }

    private fun modelId(model: Bytes): String = model.sha256().take(32)

    private fun isExtra(name: String): Boolean {
        fun plain(char: Char) = char in 'a'..'z' || char in '0'..'9'
        return name.length in 1..64 && plain(name[0]) && name.all { plain(it) || it in "._-" }
    }

    /** The same bytes in memory that an engine can read in place. */
    private fun direct(model: Bytes): ByteBuffer {
        val bytes = model.buffer()
        if (bytes.isDirect) return bytes
        val copy = ByteBuffer.allocateDirect(model.size)
        copy.put(bytes)
        frame(copy, 0, model.size)
        return copy
    }
}
