package io.handlens.artifact

import io.handlens.ArtifactError
import io.handlens.ArtifactTampered
import io.handlens.ArtifactTruncated
import io.handlens.NotAnArtifact

/** The last 80 bytes of an artifact, with the SHA-256 of all before them; and what is wrong where they are missing. */
internal object Seal {
    private const val MARK = "handlens sha256="
    private const val DIGEST = 64
    private const val FIRST = "manifest.json"
    const val LENGTH = MARK.length + DIGEST

    fun isSealed(data: Bytes): Boolean = data.size >= LENGTH && isSeal(data, data.size - LENGTH)

    /** The digest, once it is known to be right. */
    fun verify(data: Bytes, name: String): String {
        if (!isSealed(data)) throw diagnose(data, name)
        val digest = data.sha256(0, data.size - LENGTH)
        val declared = data.ascii(data.size - DIGEST, data.size)
        if (digest != declared) {
            throw ArtifactTampered(
                "$name was changed after it was written: its SHA-256 is ${digest.take(12)}..., its comment says " +
                    "${declared.take(12)}...; export it again or fetch it anew",
            )
        }
        return digest
    }

    private fun isSeal(data: Bytes, at: Int): Boolean {
        if (!data.startsWith(MARK, at) || at + LENGTH > data.size) return false
        return isHex(data.ascii(at + MARK.length, at + LENGTH), DIGEST)
    }

    private fun diagnose(data: Bytes, name: String): ArtifactError {
        if (data.size == 0) return ArtifactTruncated("$name is empty (0 bytes); fetch it anew")
        val seal = (0..data.size - LENGTH).firstOrNull { isSeal(data, it) }
        if (seal != null) {
            return ArtifactTampered(
                "$name has ${data.size - seal - LENGTH} bytes behind its end; it was appended to after it was written",
            )
        }
        if (data.startsWith("PK\u0005\u0006", data.size - LENGTH - StrictZip.END)) {
            return ArtifactTampered("$name: the closing comment with its SHA-256 was changed; fetch the file anew")
        }
        if ((0 until data.size).any { data.startsWith("PK\u0003\u0004", it) && data.startsWith(FIRST, it + 30) }) {
            return ArtifactTruncated("$name ends early, after ${data.size} bytes, inside its ZIP; fetch it anew")
        }
        val kind = ModelCheck.kindOf(data)
        try {
            ModelCheck.check(data, kind)
        } catch (error: CutShort) {
            // Any text looks a little like protobuf; every ONNX file begins with its ir_version, tag 8.
            if (kind == ModelKind.TFLITE || data.u8(0) == 8) {
                return ArtifactTruncated(
                    "$name ends early, after ${data.size} bytes, inside its model: ${error.message}",
                )
            }
            return none(name)
        } catch (_: Malformed) {
            return none(name)
        }
        return NotAnArtifact(
            "$name is a plain .${kind.key} model without a handlens manifest; write one with handlens export, or " +
                "take it with Artifact.bring(model, manifest)",
        )
    }

    private fun none(name: String): NotAnArtifact =
        NotAnArtifact("$name is no handlens artifact; expected a .tflite or .onnx written by handlens export")
}
