package io.handlens.door

import io.handlens.TooManyAttempts
import io.handlens.artifact.JsonText
import io.handlens.artifact.JsonValue
import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import kotlin.math.abs

class AttemptsTest {
    private class Memory : AttemptsFile {
        var plain = "{}".encodeToByteArray()

        override fun read() = plain

        override fun write(plain: ByteArray) {
            this.plain = plain
        }
    }

    private val scripts = golden("attempts.json").list

    @Test
    fun `whoever may try in Python may try here, and the others wait as long`() {
        var worst = 0.0
        for (script in scripts) {
            var now = Moment(0.0, "", 0.0)
            val attempts = Attempts(Memory()) { now }
            for ((index, step) in script.list.withIndex()) {
                now = Moment(step.list[2].number, step.list[3].text, step.list[4].number)
                val outcome = play(attempts, step)
                val expected = step.list[5]
                if (expected is JsonText || outcome is String) {
                    assertEquals((expected as? JsonText)?.value ?: expected, outcome) { "step $index: $step" }
                } else {
                    worst = maxOf(worst, abs(expected.number - outcome as Double))
                }
                assertEquals(step.list[6].int, attempts.failures(step.list[1].text)) { "failures, step $index: $step" }
            }
        }
        assertTrue(worst < 1e-6) { "a wait is off by $worst seconds" }
        VectorLog.record("attempts", scripts.sumOf { it.list.size }, worst)
    }

    @Test
    fun `the wait doubles to an hour, and stays there`() {
        assertEquals(listOf(0.0, 0.0, 30.0, 60.0, 1920.0, 3600.0, 3600.0), listOf(1, 4, 5, 6, 11, 12, 99).map(Attempts::waitAfter))
    }

    @Test
    fun `names are not kept, and the counters do not grow without end`() {
        val memory = Memory()
        val attempts = Attempts(memory) { Moment(0.0, "a", 0.0) }
        repeat(3) { attempts.begin("Ada") }
        repeat(40) { attempts.begin("visitor $it") }
        assertTrue("Ada" !in memory.plain.decodeToString())
        assertEquals(3, attempts.failures("Ada"))
    }

    private fun play(attempts: Attempts, step: JsonValue): Any = try {
        val name = step.list[1].text
        when (val what = step.list[0].text) {
            "check" -> attempts.check(name)
            "succeed" -> attempts.succeed(name)
            else -> attempts.begin(name, endless = what == "endless")
        }
        "ok"
    } catch (refusal: TooManyAttempts) {
        refusal.retryAfter ?: "operator"
    }
}
