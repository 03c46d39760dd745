package io.handlens.task

import io.handlens.image.Patterns
import io.handlens.image.RgbImage
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.asFlow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.Timeout
import org.junit.jupiter.api.assertThrows
import java.util.Collections
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit

@Timeout(20)
class CoroutinesTest {
    private val dropped: MutableList<Int> = Collections.synchronizedList(ArrayList())
    private val answered: MutableList<Int> = Collections.synchronizedList(ArrayList())

    @Test
    fun `while one frame is answered, the newest of the others waits`() = runBlocking {
        val busy = CompletableDeferred<Unit>()
        val sent = CountDownLatch(1)
        val frames: Flow<Int> = flow {
            emit(1)
            busy.await()
            for (frame in 2..5) emit(frame)
            sent.countDown()
        }
        val results = frames.newestFrame(Dispatchers.IO, dropped::add) { frame ->
            busy.complete(Unit)
            sent.await()
            frame * 10
        }.toList()
        assertEquals(listOf(10, 50), results)
        assertEquals(listOf(2, 3, 4), dropped)
    }

    @Test
    fun `every frame is answered or dropped, on cancellation too`() = runBlocking {
        val started = CompletableDeferred<Unit>()
        val release = CountDownLatch(1)
        val job = launch(Dispatchers.Default) {
            val frames = flow {
                emit(1)
                started.await()
                emit(2)
                emit(3)
                CompletableDeferred<Unit>().await()
            }
            frames.newestFrame(Dispatchers.IO, dropped::add) { frame ->
                started.complete(Unit)
                release.await(5, TimeUnit.SECONDS)
                answered += frame
            }.collect {}
        }
        started.await()
        withTimeout(5_000) { while (2 !in dropped) kotlinx.coroutines.delay(1) }
        job.cancel()
        release.countDown()
        job.join()
        assertEquals(listOf(1), answered)
        assertEquals(listOf(2, 3), dropped.sorted())
    }

    @Test
    fun `a collector that has enough ends the source`() = runBlocking {
        val results = (1..1000).asFlow().newestFrame(Dispatchers.IO, dropped::add) { answered += it }.take(1).toList()
        assertEquals(1, results.size)
        assertTrue(answered.isNotEmpty() && dropped.toSet().intersect(answered.toSet()).isEmpty())
    }

    @Test
    fun `a failure of the camera or of the answer arrives`(): Unit = runBlocking {
        val broken = flow<Int> { error("the camera is gone") }
        assertEquals(
            "the camera is gone",
            assertThrows<IllegalStateException> { runBlocking { broken.newestFrame { it }.toList() } }.message,
        )
        val frames = (1..3).asFlow()
        assertThrows<ArithmeticException> { runBlocking { frames.newestFrame { 1 / (it - 1) }.toList() } }
    }

    @Test
    fun `tasks run on the caller's dispatcher`() {
        val manifest = described("reid", input(4, 4), mapOf("embedding" to listOf(1, 2)))
        val names = ArrayList<String>()
        val factory = io.handlens.engine.EngineFactory { artifact, _ ->
            FakeEngine(artifact.manifest) {
                names += Thread.currentThread().name
                mapOf("embedding" to floatArrayOf(3f, 4f))
            }
        }
        Executors.newSingleThreadExecutor { Thread(it, "one of its own") }.asCoroutineDispatcher().use { own ->
            PersonReidentifier.load(artifact(manifest), factory).use { model ->
                val image = Patterns.generate("noise", 1, 8, 8, 3)
                runBlocking { assertEquals(0.6f, model.embedAsync(image, own)[0]) }
            }
        }
        assertTrue(names.isNotEmpty() && names.all { it.startsWith("one of its own") }, names.toString())
    }

    @Test
    fun `a cancelled scope starts no run`() = runBlocking {
        val manifest = described("reid", input(4, 4), mapOf("embedding" to listOf(1, 2)))
        var runs = 0
        val factory = io.handlens.engine.EngineFactory { artifact, _ ->
            FakeEngine(artifact.manifest) {
                runs++
                mapOf("embedding" to floatArrayOf(3f, 4f))
            }
        }
        PersonReidentifier.load(artifact(manifest), factory).use { model ->
            val image: RgbImage = Patterns.generate("noise", 1, 8, 8, 3)
            val job = launch { model.embedAsync(image) }
            job.cancelAndJoin()
        }
        assertEquals(0, runs)
    }
}
