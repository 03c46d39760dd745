package io.handlens.door

import io.handlens.KeyMissing
import io.handlens.StoreTampered
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.File

class WrappedKeysTest {
    @TempDir
    lateinit var folder: File

    /** A vault whose keys are numbers, and whose encryption is an exclusive or with a sum at its end. */
    private class Vault : KeyWrapper {
        val keys = sortedMapOf<String, Byte>()
        override val kind = "test"
        override val where = "the test's vault"

        override fun create(): String = "alias ${keys.size + 1}".also { keys[it] = (keys.size + 40).toByte() }

        override fun wrap(alias: String, plain: ByteArray, bound: ByteArray): ByteArray {
            val key = keys[alias] ?: throw KeyMissing("$alias is gone")
            val sum = (plain.sum() + bound.sum()).toByte()
            return ByteArray(plain.size) { (plain[it].toInt() xor key.toInt()).toByte() } + sum
        }

        override fun unwrap(alias: String, wrapped: ByteArray, bound: ByteArray): ByteArray {
            val key = keys[alias] ?: throw KeyMissing("$alias is gone")
            val plain = ByteArray(wrapped.size - 1) { (wrapped[it].toInt() xor key.toInt()).toByte() }
            if ((plain.sum() + bound.sum()).toByte() != wrapped.last()) throw StoreTampered("changed")
            return plain
        }

        override fun retain(alias: String) {
            keys.keys.retainAll(setOf(alias))
        }
    }

    @Test
    fun `a store opens with the vault that its key was wrapped in, and with no other`() {
        val vault = Vault()
        val place = folder.resolve("store")
        val file = folder.resolve("key")
        val first = Store.open(place, WrappedKeys(file, vault))
        assertEquals(first.id, Store.open(place, WrappedKeys(file, vault)).id)
        assertThrows<KeyMissing> { Store.open(place, SoftwareKeys(file)) }
        assertThrows<KeyMissing> { Store.open(place, WrappedKeys(file, Vault())) }
    }

    @Test
    fun `saving destroys the wrapping key, so that an older copy of the file is worthless`() {
        val vault = Vault()
        val file = folder.resolve("key")
        val keys = WrappedKeys(file, vault)
        assertEquals(emptyList<Key>(), keys.load())
        val one = Key.create()
        keys.save(listOf(one))
        val backup = file.readBytes()
        assertFalse(one.secret.toList() in backup.toList().windowed(Key.BYTES))
        keys.save(listOf(Key.create(), one))
        assertEquals(2, keys.load().size)
        assertEquals(1, vault.keys.size)
        file.writeBytes(backup)
        assertThrows<KeyMissing> { keys.load() }
    }

    @Test
    fun `a changed file is noticed`() {
        val keys = WrappedKeys(folder.resolve("key"), Vault())
        keys.save(listOf(Key.create()))
        val good = keys.file.readBytes()
        for (index in good.indices) {
            keys.file.writeBytes(good.copyOf().also { it[index] = (it[index].toInt() xor 1).toByte() })
            val error = runCatching { keys.load() }.exceptionOrNull()
            assert(error is StoreTampered || error is KeyMissing) { "byte $index: $error" }
        }
    }
}
