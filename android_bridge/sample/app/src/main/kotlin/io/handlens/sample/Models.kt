package io.handlens.sample

import android.content.Context
import io.handlens.android.AndroidClock
import io.handlens.android.Assets
import io.handlens.android.openStore
import io.handlens.door.Door
import io.handlens.door.DoorOptions
import io.handlens.door.openDoor
import io.handlens.engine.interpreter.InterpreterEngine
import io.handlens.task.FaceDetector
import io.handlens.task.FaceVerifier

/** Everything that has to be closed again: a detector for the preview, and the door with models of its own. */
class Models(context: Context) : AutoCloseable {
    private val engine = InterpreterEngine.Factory()
    private val faces = Assets.open(context, "face-detector.tflite")

    /** For the preview; used by the camera's thread alone. */
    val detector: FaceDetector = FaceDetector.load(faces, engine, threads = 2)

    /** Admits at a false match rate of 1 in 100: fit for trying it out, not for a door. */
    val door: Door = openDoor(
        FaceDetector.load(faces, engine, threads = 2),
        FaceVerifier.load(Assets.open(context, "face-verifier.tflite"), engine, threads = 2),
        openStore(context),
        DoorOptions(fmr = 1e-2),
        AndroidClock(context),
    )

    override fun close() {
        detector.close()
        door.close()
    }
}
