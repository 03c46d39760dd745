@file:Suppress("PackageDirectoryMismatch")

package androidx.camera.view

import android.content.Context
import android.widget.FrameLayout
import androidx.camera.core.Preview

class PreviewView(context: Context) : FrameLayout(context) {
    var scaleType: ScaleType
        get() = TODO()
        set(@Suppress("UNUSED_PARAMETER") value) = TODO()

    val surfaceProvider: Preview.SurfaceProvider get() = TODO()

    enum class ScaleType { FIT_CENTER }
}
