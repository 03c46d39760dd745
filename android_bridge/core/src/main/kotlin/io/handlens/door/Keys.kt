package io.handlens.door

import io.handlens.HandlensException
import io.handlens.KeyMissing
import io.handlens.StoreError
import io.handlens.StoreTampered
import io.handlens.artifact.Json
import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import java.io.File
import java.io.IOException
import java.security.SecureRandom
import kotlin.io.encoding.Base64

/**
 * A master key of a store; every file in it is sealed with a key derived from one.
 *
 * @property id 16 hex digits, random; tells which key sealed a file, and nothing about the key.
 */
public class Key internal constructor(public val id: String, internal val secret: ByteArray) {
    override fun toString(): String = "Key($id)"

    public companion object {
        /** Bytes of a key: AES-256. */
        public const val BYTES: Int = 32

        private val random = SecureRandom()

        /** Makes a random key, from the system's source. */
        @JvmStatic
        public fun create(): Key = Key(hex(randomBytes(8)), randomBytes(BYTES))

        /** Keys as JSON, **in the clear**, as Python's key file holds them: for a [KeyProvider] to protect. */
        @JvmStatic
        public fun encode(keys: List<Key>): ByteArray {
            val rows = keys.map { jsonOf("id" to it.id, "secret" to Base64.Default.encode(it.secret)) }
            return writeJson(jsonOf("handlens" to "key", "schema" to 1, "keys" to JsonArray(rows))).encodeToByteArray()
        }

        /**
         * Reads what [encode] wrote.
         *
         * @param where the keys are kept, for messages.
         * @throws StoreTampered these are no keys.
         */
        @JvmStatic
        public fun decode(data: ByteArray, where: String): List<Key> {
            val keys = try {
                val rows = (Json.parse(data.decodeToString(), where) as? JsonObject)?.get("keys") as? JsonArray
                rows?.items.orEmpty().map { row ->
                    val fields = row as JsonObject
                    Key((fields["id"] as JsonText).value, Base64.Default.decode((fields["secret"] as JsonText).value))
                }
            } catch (error: RuntimeException) {
                if (error !is HandlensException && error !is ClassCastException && error !is IllegalArgumentException &&
                    error !is NullPointerException
                ) {
                    throw error
                }
                emptyList()
            }
            if (keys.isEmpty() || keys.any { it.secret.size != BYTES }) {
                throw StoreTampered("$where holds no key of $BYTES bytes; put the right one back from your own copy")
            }
            return keys
        }

        internal fun randomBytes(count: Int): ByteArray = ByteArray(count).also(random::nextBytes)

        internal fun hex(bytes: ByteArray): String =
            bytes.joinToString("") { (it.toInt() and 0xFF).toString(16).padStart(2, '0') }
    }
}

/**
 * A place that keeps the master keys of one store: [SoftwareKeys] anywhere, `KeystoreKeys` on Android.
 *
 * There are two keys only while a rotation is under way; the current one comes first.
 */
public interface KeyProvider {
    /** What the store notes about where its key is, such as `file`; a store opens with the same kind only. */
    public val kind: String

    /** The place, for messages. */
    public val where: String

    /**
     * Returns the keys, the current one first; none where nothing is kept.
     *
     * @throws StoreError they cannot be read, or must not be used.
     */
    public fun load(): List<Key>

    /**
     * Replaces what is kept. What was kept before must not be readable any more, as far as that is in its power.
     *
     * @throws StoreError the keys cannot be kept.
     */
    public fun save(keys: List<Key>)
}

/**
 * Keys in a plain file of the owner's alone: for the JVM, and for tests. On Android use `KeystoreKeys`.
 *
 * The file is the one that Python keeps where there is no keyring: a store made here opens there, and the other way round.
 *
 * @property file need not be there yet.
 */
public class SoftwareKeys(public val file: File) : KeyProvider {
    override val kind: String get() = "file"
    override val where: String get() = "the file $file"

    override fun load(): List<Key> = readWhole(file)?.let { Key.decode(it, where) } ?: emptyList()

    /** Writes the file anew, then overwrites the old one's bytes with zeros: a best effort, flash drives may keep them. */
    override fun save(keys: List<Key>) {
        try {
            replaceAndErase(file, Key.encode(keys))
        } catch (error: IOException) {
            throw KeyMissing("$where cannot be written (${error.message}); name another place for the key", error)
        }
    }
}
