package io.handlens.door

import io.handlens.AlreadyEnrolled
import io.handlens.InputError
import io.handlens.KeyMissing
import io.handlens.StoreTampered
import io.handlens.UnknownName
import io.handlens.artifact.JsonObject
import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.file.Files
import java.nio.file.attribute.PosixFilePermissions
import java.util.concurrent.Executors
import java.util.concurrent.Future

class StoreTest {
    @TempDir
    lateinit var folder: File

    private val golden = golden("sealed.json")
    private val model = golden["model_id"].text

    private fun open(place: File = folder.resolve("store")) = Store.open(place, SoftwareKeys(place.resolve("key")))

    private fun vault(store: Store, dimension: Int = 4) = Vault(store, model, dimension)

    private fun record(name: String, seed: Int = 1) =
        Record(name, List(2) { row -> FloatArray(4) { (seed + row + it) / 10f } }, "2026-01-01T00:00:00+00:00")

    @Test
    fun `sealed files are Python's to the byte, both ways`() {
        val rows = golden["files"].list
        for (row in rows) {
            val key = Key(row["key"]["id"].text, row["key"]["secret"].bytes)
            val header = row["header"].texts
            val kind = row["kind"].text
            assertArrayEquals(row["plain"].bytes, Sealed.unseal(key, kind, header, row["sealed"].bytes, "golden"))
            assertArrayEquals(row["sealed"].bytes, Sealed.seal(key, kind, header, row["plain"].bytes, row["nonce"].bytes))
        }
        VectorLog.record("sealed", rows.size, 0.0)
    }

    @Test
    fun `a store that Python made opens here, with its people and their failed attempts`() {
        val place = folder.resolve("python").also { it.mkdirs() }
        for ((name, data) in (golden["store"] as JsonObject).entries) place.resolve(name).writeBytes(data.bytes)
        val store = open(place)
        val people = golden["people"].list
        store.locked {
            val records = vault(store, 8).read()
            assertEquals(people.map { it["name"].text }, records.keys.toList())
            for (person in people) {
                val record = records.getValue(person["name"].text)
                val flat = ByteBuffer.wrap(person["templates"].bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
                record.templates.forEach { template -> template.forEach { assertEquals(flat.get(), it) } }
                assertEquals(person["enrolled"].text, record.enrolled)
                assertEquals(person["failures"].int, Attempts(store, LinuxClock).failures(record.name))
            }
        }
        val written = store.locked { Vault.dump(vault(store, 8).read().values) }
        val key = SoftwareKeys(place.resolve("key")).load().first()
        val blob = place.resolve("$model.vault").readBytes()
        val python = Sealed.unseal(key, "vault", mapOf("store" to store.id, "model_id" to model), blob, "vault")
        assertEquals(python.decodeToString(), written.decodeToString()) { "what Kotlin writes is not what Python does" }
        VectorLog.record("sealed", people.size, 0.0)
    }

    @Test
    fun `any changed byte of any sealed file is noticed`() {
        val store = open()
        store.locked { vault(store).put(record("Ada"), replace = false) }
        val file = folder.resolve("store/$model.vault")
        val good = file.readBytes()
        for (index in good.indices) {
            file.writeBytes(good.copyOf().also { it[index] = (it[index].toInt() xor 1).toByte() })
            assertThrows<StoreTampered>("byte $index") { store.locked { vault(store).read() } }
        }
        for (length in listOf(0, 1, good.size / 2, good.size - 1)) {
            file.writeBytes(good.copyOf(length))
            assertThrows<StoreTampered>("cut to $length") { store.locked { vault(store).read() } }
        }
        file.writeBytes(good)
        assertEquals(setOf("Ada"), store.locked { vault(store).read() }.keys)
    }

    @Test
    fun `a vault of another model or another store does not open`() {
        val store = open()
        store.locked { vault(store).put(record("Ada"), replace = false) }
        val other = "f".repeat(32)
        folder.resolve("store/$model.vault").copyTo(folder.resolve("store/$other.vault"))
        assertThrows<StoreTampered> { store.locked { Vault(store, other, 4).read() } }
        val second = open(folder.resolve("second"))
        folder.resolve("store/$model.vault").copyTo(folder.resolve("second/$model.vault"))
        assertThrows<StoreTampered> { second.locked { vault(second).read() } }
    }

    @Test
    fun `forgetting somebody changes the key, so that older copies cannot be read`() {
        val store = open()
        store.locked { listOf("Ada", "Bob").forEach { vault(store).put(record(it), replace = false) } }
        val file = folder.resolve("store/$model.vault")
        val backup = file.readBytes()
        val oldKey = SoftwareKeys(folder.resolve("store/key")).load().single()
        store.locked { assertEquals(1, Vault.forget(store, "Ada")) }
        assertEquals(setOf("Bob"), store.locked { vault(store).read() }.keys)
        val newKey = SoftwareKeys(folder.resolve("store/key")).load().single()
        assertFalse(oldKey.id == newKey.id)
        file.writeBytes(backup)
        assertThrows<StoreTampered> { store.locked { vault(store).read() } }
        assertThrows<UnknownName> { open(folder.resolve("empty")).let { it.locked { Vault.forget(it, "Ada") } } }
    }

    @Test
    fun `a rotation that a crash broke off is finished by the next start`() {
        val store = open()
        store.locked { vault(store).put(record("Ada"), replace = false) }
        store.locked { store.startRotation() }
        assertEquals(2, SoftwareKeys(folder.resolve("store/key")).load().size)
        val again = open()
        assertEquals(1, SoftwareKeys(folder.resolve("store/key")).load().size)
        assertEquals(setOf("Ada"), again.locked { vault(again).read() }.keys)
    }

    @Test
    fun `a name is taken until it may be replaced`() {
        val store = open()
        store.locked { vault(store).put(record("Ada", 1), replace = false) }
        assertThrows<AlreadyEnrolled> { store.locked { vault(store).put(record("Ada", 2), replace = false) } }
        store.locked { vault(store).put(record("Ada", 3), replace = true) }
        val kept = store.locked { vault(store).read() }.getValue("Ada")
        assertArrayEquals(record("Ada", 3).templates[0], kept.templates[0])
    }

    @Test
    fun `what is missing is named, and no new key is made beside templates`() {
        val store = open()
        store.locked { vault(store).put(record("Ada"), replace = false) }
        val place = folder.resolve("store")
        val attempts = place.resolve("attempts").readBytes()
        place.resolve("attempts").delete()
        assertThrows<StoreTampered> { open() }
        place.resolve("attempts").writeBytes(attempts)
        place.resolve("key").renameTo(folder.resolve("elsewhere"))
        assertThrows<KeyMissing> { open() }
        assertThrows<KeyMissing> { store.locked { } }
        assertFalse(place.resolve("key").exists())
        place.resolve("store.json").delete()
        assertThrows<StoreTampered> { open() }
    }

    @Test
    fun `nobody but the owner can read the files, and none is left half written`() {
        val store = open()
        store.locked { vault(store).put(record("Ada"), replace = false) }
        val place = folder.resolve("store")
        for (file in place.listFiles().orEmpty()) {
            val mode = PosixFilePermissions.toString(Files.getPosixFilePermissions(file.toPath()))
            assertEquals("rw-------", mode) { file.name }
        }
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(place.toPath())))
        assertEquals(
            listOf("$model.vault", "attempts", "key", "lock", "store.json"),
            place.list().orEmpty().sorted(),
        )
        assertFalse("Ada" in place.resolve("$model.vault").readBytes().decodeToString())
    }

    @Test
    fun `threads that enrol at once lose nobody`() {
        val store = open()
        val pool = Executors.newFixedThreadPool(4)
        val jobs: List<Future<*>> = List(12) { number ->
            pool.submit { store.locked { vault(store).put(record("person $number"), replace = false) } }
        }
        jobs.forEach { it.get() }
        pool.shutdown()
        assertEquals(12, store.locked { vault(store).read() }.size)
    }

    @Test
    fun `names have one spelling`() {
        assertEquals("Zo\u00eb", cleanName("  Zoe\u0308 "))
        assertEquals(80, cleanName("\ud83e\udd8a".repeat(80)).codePoints().count().toInt())
        for (bad in listOf("", "  ", "a\nb", "\u0000anybody", "x".repeat(81), "a\u200bb", "\ud83e")) {
            assertThrows<InputError>("'$bad'") { cleanName(bad) }
        }
        assertTrue(cleanName("Ada Lovelace") == "Ada Lovelace")
    }
}
