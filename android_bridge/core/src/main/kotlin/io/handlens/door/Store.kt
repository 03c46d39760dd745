package io.handlens.door

import io.handlens.KeyMissing
import io.handlens.ManifestInvalid
import io.handlens.StoreError
import io.handlens.StoreTampered
import io.handlens.artifact.Json
import io.handlens.artifact.JsonNumber
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import java.io.File
import java.io.IOException

/**
 * A door's store: a folder with sealed files, one master key, and a lock for whoever changes them. The layout is that of
 * Python's `handlens.store`; docs/android.md says what of it the two languages share.
 *
 * ```text
 * store.json        the store's id, and which kind of place keeps its key
 * <model id>.vault  the templates that one model made
 * attempts          the failed attempts
 * lock              locked while a process reads or changes the others
 * ```
 *
 * Deletion changes the master key: what is left of an older file cannot be decrypted any more. Safe to share between
 * threads.
 *
 * @property folder its place; on Android a folder of the app's own, left out of backups.
 * @property id 32 hex digits, random; bound to every sealed file.
 */
public class Store private constructor(
    public val folder: File,
    public val id: String,
    private val provider: KeyProvider,
) {
    private var keys: List<Key> = emptyList()

    /** Says where the key is kept. */
    public val keyPlace: String get() = provider.where

    /** Keeps other processes and threads out, and reads the key anew: another process may have changed it. */
    internal fun <T> locked(block: () -> T): T = StoreLock.hold(folder) {
        loadKeys()
        finishRotation()
        block()
    }

    /** A sealed file's contents; null where there is none. */
    internal fun read(name: String, kind: String, header: Map<String, String> = emptyMap()): ByteArray? {
        val path = folder.resolve(name)
        val blob = readWhole(path) ?: return null
        val sealedBy = (Sealed.header(blob, "$path")["key"] as? JsonText)?.value
        val key = keys.firstOrNull { it.id == sealedBy } ?: keys.first()
        return Sealed.unseal(key, kind, mapOf("store" to id) + header, blob, "$path")
    }

    /** Seals a file with the current key and a fresh nonce, and replaces the old one. */
    internal fun write(name: String, kind: String, plain: ByteArray, header: Map<String, String> = emptyMap()) {
        val blob = Sealed.seal(keys.first(), kind, mapOf("store" to id) + header, plain)
        try {
            writeWhole(folder.resolve(name), blob)
        } catch (error: IOException) {
            throw StoreError("${folder.resolve(name)} cannot be written (${error.message}); make room, then try again")
        }
    }

    /** The ids of the models that have templates here. */
    internal fun vaults(): List<String> = folder.list().orEmpty()
        .filter { it.endsWith(VAULT) }.map { it.removeSuffix(VAULT) }.filter { isHex32(it) }.sorted()

    internal fun readVault(modelId: String): ByteArray? =
        read(modelId + VAULT, "vault", mapOf("model_id" to modelId))

    internal fun writeVault(modelId: String, plain: ByteArray): Unit =
        write(modelId + VAULT, "vault", plain, mapOf("model_id" to modelId))

    /**
     * Makes a new current key; what is written from here on is sealed with it. Then comes the writing of files that lack
     * what was deleted, then [finishRotation]. After a crash in between, the next [open] or [locked] finishes it: both
     * keys are kept until no file needs the old one.
     */
    internal fun startRotation() {
        provider.save(listOf(Key.create()) + keys)
        loadKeys()
    }

    /** Seals every file with the current key and destroys the older ones. */
    internal fun finishRotation() {
        if (keys.size < 2) return
        for (modelId in vaults()) readVault(modelId)?.let { writeVault(modelId, it) }
        read(ATTEMPTS, ATTEMPTS)?.let { write(ATTEMPTS, ATTEMPTS, it) }
        provider.save(keys.take(1))
        loadKeys()
    }

    private fun loadKeys() {
        keys = provider.load()
        if (keys.isEmpty()) {
            throw KeyMissing(
                "the store's key is not in ${provider.where}; put it back; without it the templates cannot be read by " +
                    "anybody, and everybody has to be enrolled again in a new store",
            )
        }
    }

    public companion object {
        internal const val ATTEMPTS: String = "attempts"
        private const val ABOUT = "store.json"
        private const val VAULT = ".vault"

        /**
         * Opens a store, or makes it where the folder is missing or empty.
         *
         * @param folder of the store's own.
         * @param keys where its key is (or goes).
         * @throws StoreTampered a file is missing or is not what it was.
         * @throws KeyMissing the key is not where it was kept.
         * @throws StoreError the folder cannot be used.
         */
        @JvmStatic
        public fun open(folder: File, keys: KeyProvider): Store {
            if (!folder.isDirectory && !folder.mkdirs()) {
                throw StoreError("$folder cannot be made; name a folder of the app's own")
            }
            return StoreLock.hold(folder) {
                val about = about(folder.resolve(ABOUT)) ?: return@hold make(folder, keys)
                if (about.second != keys.kind) {
                    throw KeyMissing(
                        "the store's key was put into a place of the kind '${about.second.take(40)}', not " +
                            "'${keys.kind}'; open it with the KeyProvider that it was made with",
                    )
                }
                val store = Store(folder, about.first, keys)
                store.loadKeys()
                store.finishRotation()
                if (!folder.resolve(ATTEMPTS).exists()) {
                    throw StoreTampered(
                        "${folder.resolve(ATTEMPTS)} is missing: the failed attempts would be forgotten; put it back, or " +
                            "enrol again in a new store",
                    )
                }
                store
            }
        }

        private fun make(folder: File, keys: KeyProvider): Store {
            if (folder.list().orEmpty().any { it.endsWith(VAULT) }) {
                throw StoreTampered(
                    "${folder.resolve(ABOUT)} is missing, but there are templates; put it back from your own copy",
                )
            }
            ownersAlone(folder)
            val store = Store(folder, Key.hex(Key.randomBytes(16)), keys)
            // store.json comes last: without it, what a crash leaves is made anew.
            keys.save(listOf(Key.create()))
            store.loadKeys()
            store.write(ATTEMPTS, ATTEMPTS, "{}".encodeToByteArray())
            val about = jsonOf("handlens" to "store", "schema" to 1, "store" to store.id, "key" to keys.kind)
            writeWhole(folder.resolve(ABOUT), (writeJson(about) + "\n").encodeToByteArray())
            return store
        }

        /** The id and the kind of key place that a store notes; null where there is no store yet. */
        private fun about(path: File): Pair<String, String>? {
            val data = readWhole(path) ?: return null
            val about = try {
                Json.parse(data.decodeToString(), "$path") as? JsonObject
            } catch (_: ManifestInvalid) {
                null
            }
            val id = (about?.get("store") as? JsonText)?.value
            if (about == null || id == null || !isHex32(id)) {
                throw StoreTampered("$path: no store's description; put it back from your own copy")
            }
            val schema = about["schema"] as? JsonNumber
            if (schema?.whole != 1L) {
                throw StoreTampered("$path: schema ${schema?.value}; this handlens reads 1; update handlens")
            }
            return id to (about["key"] as? JsonText)?.value.orEmpty()
        }

        private fun isHex32(text: String): Boolean = text.length == 32 && text.all { it in '0'..'9' || it in 'a'..'f' }
    }
}
