package io.handlens.door

import java.io.File
import java.io.IOException

/**
 * A point in time, by two clocks.
 *
 * @property wall seconds since 1970; somebody may set it.
 * @property boot identifies the run of the machine; "" where it is unknown.
 * @property uptime seconds since the machine started, sleep included; nobody can set it.
 */
public data class Moment(public val wall: Double, public val boot: String, public val uptime: Double)

/** Tells the time to the counter of attempts: [LinuxClock], on Android `AndroidClock`. */
public fun interface Clock {
    /** Reads both clocks. */
    public fun now(): Moment
}

/** The clocks of a Linux machine; where it does not tell its boot id, the wall clock alone counts. */
public object LinuxClock : Clock {
    private val bootId = File("/proc/sys/kernel/random/boot_id")
    private val uptime = File("/proc/uptime")

    override fun now(): Moment {
        val wall = System.currentTimeMillis() / 1000.0
        return try {
            Moment(wall, bootId.readText().trim(), uptime.readText().substringBefore(' ').toDouble())
        } catch (_: IOException) {
            Moment(wall, "", 0.0)
        }
    }
}
