package io.handlens.door

import io.handlens.ManifestInvalid
import io.handlens.StoreTampered
import io.handlens.artifact.Json
import io.handlens.artifact.JsonNumber
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import java.security.GeneralSecurityException
import javax.crypto.Cipher
import javax.crypto.Mac
import javax.crypto.spec.GCMParameterSpec
import javax.crypto.spec.SecretKeySpec

/**
 * Sealed files, byte for byte those of Python's `handlens._sealed`: a header line that anyone can read, a nonce of 12
 * bytes, and the contents under AES-256-GCM with the header as associated data. Each kind of file has a key of its own,
 * derived from the master key by HKDF-SHA256 (RFC 5869).
 */
internal object Sealed {
    private const val SCHEMA = 1
    private const val NONCE = 12
    private const val TAG_BITS = 128
    private const val LONGEST_HEADER = 4096
    private const val LINE_END = '\n'.code.toByte()

    fun seal(
        key: Key,
        kind: String,
        header: Map<String, String>,
        plain: ByteArray,
        nonce: ByteArray = Key.randomBytes(NONCE),
    ): ByteArray {
        val line = (writeJson(expected(key, kind, header)) + "\n").encodeToByteArray()
        return line + nonce + cipher(Cipher.ENCRYPT_MODE, key, kind, nonce, line).doFinal(plain)
    }

    /** A sealed file's header; nothing in it can be trusted before [unseal]. */
    fun header(blob: ByteArray, name: String): JsonObject {
        val end = blob.indexOf(LINE_END).let { if (it in 0..LONGEST_HEADER) it else minOf(blob.size, LONGEST_HEADER) }
        val found = try {
            Json.parse(blob.decodeToString(0, end), name)
        } catch (_: ManifestInvalid) {
            null
        }
        return found as? JsonObject
            ?: throw StoreTampered("$name: not a file that handlens sealed; put back the one from your own copy")
    }

    fun unseal(key: Key, kind: String, header: Map<String, String>, blob: ByteArray, name: String): ByteArray {
        val expected = expected(key, kind, header).entries
        val found = header(blob, name).entries
        if (found.keys != expected.keys || found.any { (what, value) -> !same(value, expected[what]) }) {
            val wrong = expected.filter { (what, value) -> !same(found[what], value) }
                .map { (what, _) -> "$what is ${shown(found[what])}" }
            val said = wrong.joinToString(", ").ifEmpty { "unknown fields" }
            throw StoreTampered("$name: not the file that belongs here ($said)")
        }
        val body = blob.indexOf(LINE_END) + 1
        try {
            if (blob.size < body + NONCE + TAG_BITS / 8) throw GeneralSecurityException("too short")
            val nonce = blob.copyOfRange(body, body + NONCE)
            val line = blob.copyOfRange(0, body)
            val cipher = cipher(Cipher.DECRYPT_MODE, key, kind, nonce, line)
            return cipher.doFinal(blob, body + NONCE, blob.size - body - NONCE)
        } catch (_: GeneralSecurityException) {
            throw StoreTampered(
                "$name: changed since it was written; put back the file from your own copy, or enrol again in a new store",
            )
        }
    }

    private fun expected(key: Key, kind: String, header: Map<String, String>): JsonObject = jsonOf(
        "handlens" to kind,
        "schema" to SCHEMA,
        *header.map { it.key to it.value }.toTypedArray(),
        "key" to key.id,
    )

    private fun same(one: Any?, other: Any?): Boolean =
        if (one is JsonNumber && other is JsonNumber) one.value == other.value else one == other

    private fun shown(value: Any?): String = if (value is JsonText) "'${value.value.take(50)}'" else "$value".take(50)

    private fun cipher(mode: Int, key: Key, kind: String, nonce: ByteArray, associated: ByteArray): Cipher {
        val derived = hkdf(key.secret, "handlens $kind".encodeToByteArray())
        return Cipher.getInstance("AES/GCM/NoPadding").apply {
            init(mode, SecretKeySpec(derived, "AES"), GCMParameterSpec(TAG_BITS, nonce))
            updateAAD(associated)
        }
    }

    /** HKDF-SHA256 without a salt, for one block of 32 bytes: extract, then expand. */
    private fun hkdf(secret: ByteArray, info: ByteArray): ByteArray =
        hmac(hmac(ByteArray(32), secret), info + byteArrayOf(1))
}

/** HMAC-SHA256. */
internal fun hmac(key: ByteArray, data: ByteArray): ByteArray =
    Mac.getInstance("HmacSHA256").run {
        init(SecretKeySpec(key, "HmacSHA256"))
        doFinal(data)
    }
