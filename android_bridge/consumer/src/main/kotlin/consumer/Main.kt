package consumer

import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.door.Door
import io.handlens.door.DoorOptions
import io.handlens.door.SoftwareKeys
import io.handlens.door.Store
import io.handlens.door.openDoor
import io.handlens.engine.jna.LiteRtJnaEngine
import io.handlens.image.RgbImage
import io.handlens.task.FaceDetector
import io.handlens.task.FaceVerifier
import io.handlens.task.Segmenter
import io.handlens.task.detectAsync
import kotlinx.coroutines.runBlocking
import java.io.File

/** What an app would do with the archive. Arguments: its assets, and a folder of images (16 bytes "HEIGHT WIDTH", RGB). */
public fun main(arguments: Array<String>) {
    val (assets, folder) = arguments.map(::File)
    val images = folder.listFiles().orEmpty().filter { it.extension == "rgb" }.sorted().map(::read)

    fun artifact(name: String) = Artifact.open(assets.resolve(name).readBytes(), name)

    FaceDetector.load(artifact("face-detector.tflite"), LiteRtJnaEngine).use { detector ->
        for (face in runBlocking { detector.detectAsync(images[0]) }) {
            val places = face.points.orEmpty().flatMap { listOf(it.x, it.y) }
            println("face ${face.score} ${(face.box.run { listOf(x1, y1, x2, y2) } + places).joinToString(" ")}")
        }
    }
    Segmenter.load(artifact("person-mask-nano.tflite"), LiteRtJnaEngine).use { segmenter ->
        println("foreground ${segmenter.segment(images[0]).alpha.sumOf { it.toInt() and 0xFF }}")
    }
    door(artifact("face-detector.tflite"), artifact("face-verifier.tflite"), folder.resolve("store")).use { door ->
        println("door ${door.examine(images[0]).verdicts}")
        println("enrolled ${door.enrol("Eileen", images.take(2), replace = true).images}")
        for (name in listOf("Eileen", "Ada")) {
            val decision = door.verify(name, images[2])
            println("verified ${decision.outcome} ${decision.score} ${decision.threshold}")
        }
    }
    try {
        FaceVerifier.load(artifact("face-detector.tflite"), LiteRtJnaEngine)
    } catch (error: OptionError) {
        println("error ${error.message}")
    }
}

private fun door(detector: Artifact, verifier: Artifact, store: File): Door {
    val embedder = FaceVerifier.load(verifier, LiteRtJnaEngine)
    val rate = embedder.manifest.thresholds.maxOf { it.targetFmr }
    val keys = SoftwareKeys(store.resolve("key"))
    return openDoor(FaceDetector.load(detector, LiteRtJnaEngine), embedder, Store.open(store, keys), DoorOptions(fmr = rate))
}

private fun read(file: File): RgbImage {
    val bytes = file.readBytes()
    val (height, width) = bytes.decodeToString(0, 16).trim().split(" ").map(String::toInt)
    return RgbImage(bytes.copyOfRange(16, bytes.size), width, height)
}
