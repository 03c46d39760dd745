package io.handlens.door

import io.handlens.StoreTampered
import io.handlens.TooManyAttempts
import io.handlens.artifact.Json
import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonNumber
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import kotlin.math.ceil
import kotlin.math.max
import kotlin.math.min

/** Where the counters are kept: a sealed file of the store, or in tests a variable. */
internal interface AttemptsFile {
    fun read(): ByteArray

    fun write(plain: ByteArray)
}

/**
 * Failed attempts, counted in a sealed file: after five in a row each further one has to wait, longer every time. The same
 * rules as Python's `handlens.attempts`, which has their source. Every method wants the store's lock held.
 */
internal class Attempts(private val file: AttemptsFile, private val clock: Clock) {
    constructor(store: Store, clock: Clock) : this(SealedAttempts(store), clock)

    private class Entry(val failures: Int, val wait: Double, val since: Moment) {
        fun left(at: Moment): Double {
            val same = since.boot.isNotEmpty() && since.boot == at.boot
            val passed = if (same) at.uptime - since.uptime else at.wall - since.wall
            return max(0.0, wait - max(0.0, passed))
        }
    }

    /** Refuses an attempt that comes too early, or (unless [endless]) after the last; counts nothing. */
    fun check(name: String, endless: Boolean = false) {
        val (salt, entries) = read()
        val key = hashed(salt, name)
        val entry = entries[key] ?: return
        val moment = clock.now()
        val left = entry.left(moment)
        if (left > 0 && (moment.boot != entry.since.boot || moment.wall < entry.since.wall)) {
            // From another run of the machine: what is left counts from now, or a clock set back would stop it for good.
            entries[key] = Entry(entry.failures, left, moment)
            write(salt, entries)
        }
        if (entry.failures >= LAST && !endless) {
            throw TooManyAttempts(
                "${entry.failures} attempts in a row failed; an operator has to reset the counter",
                "use the way in that needs no face",
            )
        }
        if (left > 0) {
            val seconds = ceil(left).toLong()
            throw TooManyAttempts(
                "${entry.failures} attempts in a row failed; the next is in $seconds seconds",
                "wait, or use the way in that needs no face",
                left,
            )
        }
    }

    /** Counts an attempt as failed, until [succeed] says otherwise; throws as [check] does, and counts nothing then. */
    fun begin(name: String, endless: Boolean = false) {
        check(name, endless)
        val (salt, entries) = read()
        val key = hashed(salt, name)
        val failures = (entries[key]?.failures ?: 0) + 1
        entries[key] = Entry(failures, waitAfter(failures), clock.now())
        if (entries.size > MOST_NAMES) {
            entries.remove((entries.keys - key).minBy { entries.getValue(it).failures })
        }
        write(salt, entries)
    }

    /** Clears a counter. */
    fun succeed(name: String) {
        val (salt, entries) = read()
        if (entries.remove(hashed(salt, name)) != null) write(salt, entries)
    }

    /** Failures in a row so far. */
    fun failures(name: String): Int {
        val (salt, entries) = read()
        return entries[hashed(salt, name)]?.failures ?: 0
    }

    private fun read(): Pair<ByteArray, LinkedHashMap<String, Entry>> {
        val data = Json.parse(file.read().decodeToString(), "the attempts") as? JsonObject
        if (data == null || data.entries.isEmpty()) return Key.randomBytes(16) to LinkedHashMap()
        val salt = (data["salt"] as JsonText).value.chunked(2).map { it.toInt(16).toByte() }.toByteArray()
        val entries = LinkedHashMap<String, Entry>()
        for ((key, row) in (data["entries"] as JsonObject).entries) {
            val (failures, wait, wall, boot, uptime) = (row as JsonArray).items
            val since = Moment(number(wall), (boot as JsonText).value, number(uptime))
            entries[key] = Entry(number(failures).toInt(), number(wait), since)
        }
        return salt to entries
    }

    private fun write(salt: ByteArray, entries: Map<String, Entry>) {
        val rows = entries.mapValues { (_, entry) ->
            JsonArray(
                listOf(
                    JsonNumber(entry.failures.toDouble(), entry.failures.toLong()),
                    JsonNumber(entry.wait),
                    JsonNumber(entry.since.wall),
                    JsonText(entry.since.boot),
                    JsonNumber(entry.since.uptime),
                ),
            )
        }
        file.write(writeJson(jsonOf("salt" to Key.hex(salt), "entries" to JsonObject(rows))).encodeToByteArray())
    }

    private class SealedAttempts(private val store: Store) : AttemptsFile {
        override fun read(): ByteArray = store.read(Store.ATTEMPTS, Store.ATTEMPTS) ?: throw StoreTampered(
            "${store.folder.resolve(Store.ATTEMPTS)} is missing; put it back, or enrol in a new store",
        )

        override fun write(plain: ByteArray) = store.write(Store.ATTEMPTS, Store.ATTEMPTS, plain)
    }

    companion object {
        const val FREE = 5
        const val LAST = 50
        private const val FIRST_WAIT = 30.0
        private const val LONGEST_WAIT = 3600.0
        private const val MOST_NAMES = 4096

        /** Seconds to wait after so many failures in a row: none up to four, 30 after five, then twice as long each time. */
        fun waitAfter(failures: Int): Double =
            if (failures < FREE) 0.0 else min(LONGEST_WAIT, FIRST_WAIT * (1 shl min(failures - FREE, 20)))

        /** Names are not kept, and take the same room whatever somebody types. */
        private fun hashed(salt: ByteArray, name: String): String =
            Key.hex(hmac(salt, name.encodeToByteArray())).take(32)

        private fun number(value: Any): Double = (value as JsonNumber).value
    }
}
