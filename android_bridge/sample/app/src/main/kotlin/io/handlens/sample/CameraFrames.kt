package io.handlens.sample

import androidx.annotation.OptIn
import androidx.camera.core.ExperimentalGetImage
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import io.handlens.android.YuvConverter
import io.handlens.image.RgbImage
import io.handlens.task.FaceBuffer
import io.handlens.task.FaceDetector
import kotlinx.coroutines.CompletableDeferred
import java.util.concurrent.atomic.AtomicReference

/**
 * Each frame of the front camera: faces for the preview, and copies for whoever asks. Frames that come while one is
 * worked on are dropped by CameraX (STRATEGY_KEEP_ONLY_LATEST).
 *
 * @param shown is called on the camera's thread, with the frame's size; the buffer is filled anew for the next frame.
 */
class CameraFrames(
    private val detector: FaceDetector,
    private val shown: (faces: FaceBuffer, width: Int, height: Int) -> Unit,
) : ImageAnalysis.Analyzer {
    private val converter = YuvConverter()
    private val faces = FaceBuffer()
    private val asked = AtomicReference<CompletableDeferred<RgbImage>>()

    /** Waits for the next frame; a copy, upright and mirrored as the preview is. One call at a time. */
    suspend fun next(): RgbImage = CompletableDeferred<RgbImage>().also(asked::set).await()

    @OptIn(ExperimentalGetImage::class)
    override fun analyze(image: ImageProxy) {
        image.use {
            val frame = it.image ?: return
            val upright = converter.convert(frame, it.imageInfo.rotationDegrees, mirrored = true)
            detector.detect(upright, faces)
            shown(faces, upright.width, upright.height)
            // The converter writes the next frame into the same image, so whoever waits gets a copy.
            asked.getAndSet(null)?.complete(RgbImage(upright.pixels.copyOf(), upright.width, upright.height))
        }
    }
}
