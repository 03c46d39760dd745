package io.handlens.door

import io.handlens.StoreError
import java.io.File
import java.io.RandomAccessFile
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.TimeUnit
import java.util.concurrent.locks.ReentrantLock

/**
 * One holder of a store at a time: between threads by a lock of this process, between processes by one of the file
 * system. (The JVM's file locks are POSIX record locks, Python's door takes flock: the two do not see each other, so one
 * store is not used from both languages at the same moment.)
 */
internal object StoreLock {
    private const val PATIENCE_SECONDS = 20L
    private val locks = ConcurrentHashMap<String, ReentrantLock>()

    fun <T> hold(folder: File, block: () -> T): T {
        val lock = locks.getOrPut(folder.canonicalPath) { ReentrantLock() }
        check(!lock.isHeldByCurrentThread) { "the store is locked already by this call" }
        if (!lock.tryLock(PATIENCE_SECONDS, TimeUnit.SECONDS)) throw busy(folder)
        try {
            RandomAccessFile(folder.resolve("lock"), "rw").use { file ->
                ownersAlone(folder.resolve("lock"))
                val deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS)
                var held = file.channel.tryLock()
                while (held == null) {
                    if (System.nanoTime() > deadline) throw busy(folder)
                    Thread.sleep(5)
                    held = file.channel.tryLock()
                }
                return held.use { block() }
            }
        } finally {
            lock.unlock()
        }
    }

    private fun busy(folder: File) = StoreError(
        "$folder: another process has held the store for $PATIENCE_SECONDS seconds; end it, then try again",
    )
}
