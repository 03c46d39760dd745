package io.handlens.android

import android.security.keystore.KeyGenParameterSpec
import io.handlens.KeyMissing
import io.handlens.StoreTampered
import io.handlens.door.SoftwareKeys
import io.handlens.door.Store
import io.handlens.door.WrappedKeys
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.io.InputStream
import java.io.OutputStream
import java.security.Key
import java.security.KeyStoreSpi
import java.security.Provider
import java.security.SecureRandom
import java.security.Security
import java.security.cert.Certificate
import java.security.spec.AlgorithmParameterSpec
import java.util.Collections
import java.util.Date
import java.util.Enumeration
import javax.crypto.KeyGeneratorSpi
import javax.crypto.SecretKey
import javax.crypto.spec.SecretKeySpec

/** The wrapper against a stand-in for Android's provider, with keys in a map: no phone is here. */
class KeystoreTest {
    @TempDir
    lateinit var folder: File

    @BeforeEach
    fun install() {
        keys.clear()
        Security.addProvider(FakeKeystore())
    }

    @AfterEach
    fun remove() = Security.removeProvider("AndroidKeyStore")

    @Test
    fun `what was wrapped is unwrapped, and bound to what it was wrapped with`() {
        val wrapper = KeystoreWrapper("door")
        val alias = wrapper.create()
        val bound = byteArrayOf(7)
        val blob = wrapper.wrap(alias, byteArrayOf(1, 2, 3), bound)
        assertArrayEquals(byteArrayOf(1, 2, 3), wrapper.unwrap(alias, blob, bound))
        assertThrows<StoreTampered> { wrapper.unwrap(alias, blob, byteArrayOf(8)) }
        assertThrows<StoreTampered> { wrapper.unwrap(alias, blob.copyOf().also { it[14]++ }, bound) }
        assertThrows<StoreTampered> { wrapper.unwrap(alias, ByteArray(5), bound) }
        assertThrows<KeyMissing> { wrapper.unwrap("door.another", blob, bound) }
    }

    @Test
    fun `keys are AES-256 for GCM alone, and other stores' keys stay`() {
        val other = KeystoreWrapper("other").create()
        val wrapper = KeystoreWrapper("door")
        wrapper.create()
        val kept = wrapper.create()
        wrapper.retain(kept)
        assertEquals(setOf(other, kept), keys.keys)
        val spec = specs.last()
        assertEquals(256, spec.keySize)
        assertEquals(listOf("GCM") to listOf("NoPadding"), spec.blockModes.toList() to spec.encryptionPaddings.toList())
        assertTrue(spec.isRandomizedEncryptionRequired)
    }

    @Test
    fun `a store opens on the phone that made it, and on no other`() {
        val place = folder.resolve("store")
        fun open() = Store.open(place, WrappedKeys(place.resolve("key"), KeystoreWrapper("door")))
        assertEquals(open().id, open().id)
        assertThrows<KeyMissing> { Store.open(place, SoftwareKeys(place.resolve("key"))) }
        keys.clear()
        assertTrue("enrol again" in assertThrows<KeyMissing> { open() }.message.orEmpty())
    }

    class FakeKeystore : Provider("AndroidKeyStore", "1", "keys in a map") {
        init {
            put("KeyStore.AndroidKeyStore", Entries::class.java.name)
            put("KeyGenerator.AES", Generator::class.java.name)
        }
    }

    class Generator : KeyGeneratorSpi() {
        private lateinit var spec: KeyGenParameterSpec

        override fun engineInit(random: SecureRandom?) = error("not used")

        override fun engineInit(keysize: Int, random: SecureRandom?) = error("not used")

        override fun engineInit(params: AlgorithmParameterSpec, random: SecureRandom?) {
            spec = params as KeyGenParameterSpec
        }

        override fun engineGenerateKey(): SecretKey {
            specs += spec
            val bytes = ByteArray(spec.keySize / 8).also(SecureRandom()::nextBytes)
            return SecretKeySpec(bytes, "AES").also { keys[spec.keystoreAlias] = it }
        }
    }

    class Entries : KeyStoreSpi() {
        override fun engineGetKey(alias: String, password: CharArray?): Key? = keys[alias]

        override fun engineAliases(): Enumeration<String> = Collections.enumeration(keys.keys.toList())

        override fun engineDeleteEntry(alias: String) {
            keys.remove(alias)
        }

        override fun engineLoad(stream: InputStream?, password: CharArray?) = Unit

        override fun engineContainsAlias(alias: String): Boolean = alias in keys

        override fun engineSize(): Int = keys.size

        override fun engineIsKeyEntry(alias: String): Boolean = alias in keys

        override fun engineGetCertificateChain(alias: String?): Array<Certificate> = error("not used")

        override fun engineGetCertificate(alias: String?): Certificate = error("not used")

        override fun engineGetCreationDate(alias: String?): Date = error("not used")

        override fun engineIsCertificateEntry(alias: String?): Boolean = false

        override fun engineGetCertificateAlias(cert: Certificate?): String = error("not used")

        override fun engineStore(stream: OutputStream?, password: CharArray?) = error("not used")

        override fun engineSetKeyEntry(alias: String?, key: Key?, password: CharArray?, chain: Array<Certificate>?) =
            error("not used")

        override fun engineSetKeyEntry(alias: String?, key: ByteArray?, chain: Array<Certificate>?) = error("not used")

        override fun engineSetCertificateEntry(alias: String?, cert: Certificate?) = error("not used")
    }

    private companion object {
        val keys = sortedMapOf<String, SecretKey>()
        val specs = mutableListOf<KeyGenParameterSpec>()
    }
}
