package io.handlens.door

import io.handlens.KeyMissing
import io.handlens.StoreError
import io.handlens.StoreTampered
import io.handlens.artifact.JsonText
import java.io.File
import java.io.IOException

/**
 * A vault of the system that holds keys which nobody can read out of it, and encrypts with them: on Android the Keystore.
 *
 * @see WrappedKeys
 */
public interface KeyWrapper {
    /** What a store notes about where its key is, such as `keystore`. */
    public val kind: String

    /** The place, for messages. */
    public val where: String

    /**
     * Makes a key in the vault, and returns the alias it has there.
     *
     * @throws KeyMissing the vault makes none.
     */
    public fun create(): String

    /**
     * Encrypts and authenticates with the vault's key.
     *
     * @param alias from [create].
     * @param bound is authenticated, too, but not contained in the result.
     * @throws KeyMissing the vault has no such key, or does not let it be used.
     */
    public fun wrap(alias: String, plain: ByteArray, bound: ByteArray): ByteArray

    /**
     * Decrypts what [wrap] gave.
     *
     * @throws StoreTampered a byte differs.
     * @throws KeyMissing the vault has no such key, or does not let it be used.
     */
    public fun unwrap(alias: String, wrapped: ByteArray, bound: ByteArray): ByteArray

    /** Destroys every key that [create] made but one. */
    public fun retain(alias: String)
}

/**
 * Master keys in a file, encrypted with a key that never leaves a [KeyWrapper]. Each [save] takes a new wrapping key and
 * destroys the old one: an older copy of the file, from a backup or from freed blocks, cannot be decrypted by anybody.
 *
 * ```text
 * {"handlens": "wrapped key", "schema": 1, "kind": ..., "alias": ...}\n
 * what the wrapper made of the keys, bound to that line
 * ```
 *
 * @property file need not be there yet.
 */
public class WrappedKeys(public val file: File, private val wrapper: KeyWrapper) : KeyProvider {
    override val kind: String get() = wrapper.kind
    override val where: String get() = "$file, under a key in ${wrapper.where}"

    override fun load(): List<Key> {
        val blob = readWhole(file) ?: return emptyList()
        val alias = (Sealed.header(blob, "$file")["alias"] as? JsonText)?.value.orEmpty()
        val line = line(alias)
        if (blob.size < line.size || !blob.copyOf(line.size).contentEquals(line)) {
            throw StoreTampered("$file: not a key that ${wrapper.where} wrapped; put back the one from your own copy")
        }
        return Key.decode(wrapper.unwrap(alias, blob.copyOfRange(line.size, blob.size), line), where)
    }

    override fun save(keys: List<Key>) {
        val alias = wrapper.create()
        val line = line(alias)
        try {
            writeWhole(file, line + wrapper.wrap(alias, Key.encode(keys), line))
        } catch (error: IOException) {
            throw StoreError("$file cannot be written (${error.message}); make room, then try again", error)
        }
        wrapper.retain(alias)
    }

    private fun line(alias: String): ByteArray =
        (writeJson(jsonOf("handlens" to "wrapped key", "schema" to 1, "kind" to kind, "alias" to alias)) + "\n")
            .encodeToByteArray()
}
