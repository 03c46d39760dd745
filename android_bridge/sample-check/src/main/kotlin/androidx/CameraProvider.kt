@file:Suppress("PackageDirectoryMismatch", "UNUSED_PARAMETER")

package androidx.camera.lifecycle

import android.content.Context
import androidx.camera.core.CameraSelector
import androidx.camera.core.UseCase
import androidx.lifecycle.LifecycleOwner
import java.util.concurrent.Executor

class ProcessCameraProvider private constructor() {
    fun unbindAll(): Unit = TODO()

    fun bindToLifecycle(owner: LifecycleOwner, selector: CameraSelector, vararg useCases: UseCase): Any = TODO()

    /** Guava's, which CameraX returns. */
    interface ListenableFuture<T> {
        fun get(): T

        fun addListener(listener: Runnable, executor: Executor)
    }

    companion object {
        fun getInstance(context: Context): ListenableFuture<ProcessCameraProvider> = TODO()
    }
}
