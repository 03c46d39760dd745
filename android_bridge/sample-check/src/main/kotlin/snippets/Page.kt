package snippets

import android.content.Context
import android.graphics.Bitmap
import android.media.Image
import io.handlens.FaceRefused
import io.handlens.TooManyAttempts
import io.handlens.android.AndroidClock
import io.handlens.android.Assets
import io.handlens.android.BitmapConverter
import io.handlens.android.YuvConverter
import io.handlens.android.openStore
import io.handlens.door.Decision
import io.handlens.door.Door
import io.handlens.door.DoorOptions
import io.handlens.door.enrolAsync
import io.handlens.door.openDoor
import io.handlens.door.verifyAsync
import io.handlens.engine.EngineFactory
import io.handlens.engine.interpreter.InterpreterEngine
import io.handlens.image.RgbImage
import io.handlens.task.Face
import io.handlens.task.FaceBuffer
import io.handlens.task.FaceDetector
import io.handlens.task.FaceVerifier
import io.handlens.task.newestFrame
import kotlinx.coroutines.flow.Flow

// The Kotlin of docs/android.md, so that the compiler sees it; tests/android/test_docs.py holds the two together.

fun faces(context: Context, bitmap: Bitmap): List<Face> {
    val detector = FaceDetector.load(Assets.open(context, "face-detector.tflite"), InterpreterEngine.Factory())
    return detector.use { it.detect(BitmapConverter().convert(bitmap)) }
}

class Frames(private val detector: FaceDetector) {
    private val converter = YuvConverter()
    private val faces = FaceBuffer()

    fun onFrame(frame: Image, rotationDegrees: Int) {
        val image = converter.convert(frame, rotationDegrees, mirrored = true)
        val count = detector.detect(image, faces)
        for (index in 0 until count) draw(faces.boxes, 4 * index)
    }

    fun answers(frames: Flow<Image>, turn: Int): Flow<List<Face>> =
        frames.newestFrame(dropped = { it.close() }) { frame ->
            frame.use { detector.detect(converter.convert(it, turn)) }
        }

    private fun draw(boxes: DoubleArray, at: Int) = println("${boxes[at]}")
}

fun door(context: Context, detector: FaceDetector, engine: EngineFactory): Door {
    val verifier = FaceVerifier.load(Assets.open(context, "face-verifier.tflite"), engine)
    return openDoor(detector, verifier, openStore(context), DoorOptions(fmr = 1e-2), AndroidClock(context))
}

suspend fun visit(door: Door, shots: List<RgbImage>, image: RgbImage): String {
    door.enrolAsync("Ada", shots)
    return try {
        val decision: Decision = door.verifyAsync("Ada", image)
        if (decision.admitted) "come in" else decision.reason
    } catch (refusal: FaceRefused) {
        refusal.advice
    } catch (refusal: TooManyAttempts) {
        refusal.advice
    }
}
