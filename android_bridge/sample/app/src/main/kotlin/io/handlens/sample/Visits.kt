package io.handlens.sample

import io.handlens.EnrolmentTooAlike
import io.handlens.FaceRefused
import io.handlens.HandlensException
import io.handlens.door.Door
import io.handlens.door.Outcome
import io.handlens.door.enrolAsync
import io.handlens.door.examineAsync
import io.handlens.door.verifyAsync
import io.handlens.image.RgbImage
import kotlinx.coroutines.delay

/** What the buttons do; each answers with a line for whoever stands before the camera. */
class Visits(private val door: Door, private val frames: CameraFrames, private val say: (String) -> Unit) {
    /** Takes three photographs that pass every gate, a moment apart, and enrols their owner. */
    suspend fun enrol(name: String): String = answered {
        val shots = mutableListOf<RgbImage>()
        while (shots.size < SHOTS) {
            val frame = frames.next()
            val refusal = door.examineAsync(frame).verdicts.firstNotNullOfOrNull { it.refusal }
            if (refusal != null) {
                say(refusal.advice)
            } else {
                shots += frame
                say("photograph ${shots.size} of $SHOTS; turn your head a little")
                delay(PAUSE_MILLIS)
            }
        }
        val done = door.enrolAsync(name, shots, replace = true)
        "${done.name} is enrolled with ${done.images} photographs"
    }

    /** Compares the next frame that passes the gates with a name. */
    suspend fun verify(name: String): String = answered {
        val decision = door.verifyAsync(name, good())
        when (decision.outcome) {
            Outcome.ADMITTED -> "come in, ${decision.name}"
            Outcome.NOT_ADMITTED -> decision.reason
            Outcome.PERSON -> decision.reason
        }
    }

    /** Forgets a person: the templates, and the key that they were encrypted with. */
    suspend fun forget(name: String): String = answered {
        door.delete(name)
        "$name is forgotten"
    }

    /** The next frame that passes every gate; says what is wrong with the others, and gives up after a while. */
    private suspend fun good(): RgbImage {
        repeat(TRIES) {
            val frame = frames.next()
            val refusal = door.examineAsync(frame).verdicts.firstNotNullOfOrNull { it.refusal } ?: return frame
            say(refusal.advice)
        }
        return frames.next()
    }

    private suspend fun answered(work: suspend () -> String): String = try {
        work()
    } catch (refusal: EnrolmentTooAlike) {
        "the photographs are too much alike: ${refusal.advice}"
    } catch (refusal: FaceRefused) {
        refusal.advice
    } catch (error: HandlensException) {
        error.message.orEmpty()
    }

    private companion object {
        const val SHOTS = 3
        const val TRIES = 50
        const val PAUSE_MILLIS = 1500L
    }
}
