package io.handlens.android

import android.content.Context
import android.os.SystemClock
import android.provider.Settings
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import io.handlens.KeyMissing
import io.handlens.StoreTampered
import io.handlens.door.Clock
import io.handlens.door.KeyWrapper
import io.handlens.door.Moment
import io.handlens.door.Store
import io.handlens.door.WrappedKeys
import java.io.File
import java.security.GeneralSecurityException
import java.security.KeyStore
import java.security.SecureRandom
import javax.crypto.AEADBadTagException
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/**
 * Keys in the Android Keystore: AES-256-GCM, not exportable, in secure hardware where the phone has some.
 *
 * @param name of the store that they are for; each store of an app needs a name of its own.
 */
public class KeystoreWrapper @JvmOverloads constructor(private val name: String = "handlens") : KeyWrapper {
    override val kind: String get() = "keystore"
    override val where: String get() = "the Android Keystore ($name)"

    override fun create(): String = guarded("makes no key") {
        val alias = "$name." + ByteArray(8).also(SecureRandom()::nextBytes).joinToString("") { "%02x".format(it) }
        val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        val spec = KeyGenParameterSpec.Builder(alias, purposes)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .setKeySize(256)
            .build()
        KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, KEYSTORE).apply { init(spec) }.generateKey()
        alias
    }

    override fun wrap(alias: String, plain: ByteArray, bound: ByteArray): ByteArray = guarded("does not encrypt") {
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.ENCRYPT_MODE, key(alias))
        cipher.updateAAD(bound)
        check(cipher.iv.size == NONCE) { "the Keystore gave a nonce of ${cipher.iv.size} bytes; expected $NONCE" }
        cipher.iv + cipher.doFinal(plain)
    }

    override fun unwrap(alias: String, wrapped: ByteArray, bound: ByteArray): ByteArray = guarded("does not decrypt") {
        if (wrapped.size < NONCE) throw StoreTampered("the wrapped key is cut short; put back the one from your own copy")
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.DECRYPT_MODE, key(alias), GCMParameterSpec(TAG_BITS, wrapped, 0, NONCE))
        cipher.updateAAD(bound)
        cipher.doFinal(wrapped, NONCE, wrapped.size - NONCE)
    }

    override fun retain(alias: String): Unit = guarded("does not forget a key") {
        val keystore = keystore()
        keystore.aliases().toList().filter { it.startsWith("$name.") && it != alias }.forEach(keystore::deleteEntry)
    }

    private fun key(alias: String): SecretKey = keystore().getKey(alias, null) as? SecretKey ?: throw KeyMissing(
        "$where has no key '$alias': the app's data came from another phone or a backup, or its keys were cleared; " +
            "delete the store, and enrol again",
    )

    private inline fun <T> guarded(what: String, action: () -> T): T = try {
        action()
    } catch (error: AEADBadTagException) {
        throw StoreTampered("the wrapped key was changed since it was written; put back the one from your own copy", error)
    } catch (error: GeneralSecurityException) {
        throw KeyMissing("$where $what (${error.message}); unlock the phone, then try again", error)
    }

    private companion object {
        const val KEYSTORE = "AndroidKeyStore"
        const val CIPHER = "AES/GCM/NoPadding"
        const val NONCE = 12
        const val TAG_BITS = 128

        fun keystore(): KeyStore = KeyStore.getInstance(KEYSTORE).apply { load(null) }
    }
}

/**
 * Opens the app's store of templates, or makes it: in a folder of the app's own that backups leave out, its master key
 * wrapped by the Android Keystore.
 *
 * @param name of the store.
 */
@JvmOverloads
public fun openStore(context: Context, name: String = "handlens"): Store {
    val folder = File(context.noBackupFilesDir, name)
    return Store.open(folder, WrappedKeys(File(folder, "key"), KeystoreWrapper(name)))
}

/** The phone's clocks: the one that somebody may set, the count of its starts, and the time since the last of them. */
public class AndroidClock(private val context: Context) : Clock {
    override fun now(): Moment {
        val boot = Settings.Global.getInt(context.contentResolver, Settings.Global.BOOT_COUNT, -1)
        val uptime = SystemClock.elapsedRealtime() / 1000.0
        return Moment(System.currentTimeMillis() / 1000.0, if (boot < 0) "" else "boot $boot", uptime)
    }
}
