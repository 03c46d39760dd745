@file:Suppress("PackageDirectoryMismatch", "UNUSED_PARAMETER")

package androidx.camera.core

import android.media.Image
import java.util.concurrent.Executor

// Stand-ins for what the sample calls of androidx.camera: declarations alone, so that the compiler can check the calls.

annotation class ExperimentalGetImage

interface ImageInfo {
    val rotationDegrees: Int
}

interface ImageProxy : AutoCloseable {
    val image: Image?
    val imageInfo: ImageInfo
}

abstract class UseCase

class CameraSelector private constructor() {
    companion object {
        val DEFAULT_FRONT_CAMERA: CameraSelector get() = TODO()
    }
}

class Preview private constructor() : UseCase() {
    fun setSurfaceProvider(provider: SurfaceProvider?): Unit = TODO()

    interface SurfaceProvider

    class Builder {
        fun build(): Preview = TODO()
    }
}

class ImageAnalysis private constructor() : UseCase() {
    fun setAnalyzer(executor: Executor, analyzer: Analyzer): Unit = TODO()

    fun interface Analyzer {
        fun analyze(image: ImageProxy)
    }

    class Builder {
        fun setBackpressureStrategy(strategy: Int): Builder = TODO()

        fun build(): ImageAnalysis = TODO()
    }

    companion object {
        const val STRATEGY_KEEP_ONLY_LATEST = 0
    }
}
