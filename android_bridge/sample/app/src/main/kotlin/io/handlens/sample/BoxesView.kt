package io.handlens.sample

import android.content.Context
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.view.View
import io.handlens.task.FaceBuffer
import kotlin.math.min

/** Draws boxes and points over a preview that is fitted into the middle (PreviewView.ScaleType.FIT_CENTER). */
class BoxesView(context: Context) : View(context) {
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        style = Paint.Style.STROKE
        strokeWidth = 4f
        color = Color.GREEN
    }
    private val dot = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = Color.YELLOW }

    private val boxes = FloatArray(4 * MOST)
    private val points = FloatArray(10 * MOST)
    private var count = 0
    private var frameWidth = 1
    private var frameHeight = 1

    /** Takes over a frame's faces; from any thread. */
    fun show(faces: FaceBuffer, width: Int, height: Int) {
        synchronized(boxes) {
            count = min(faces.size, MOST)
            for (index in 0 until 4 * count) boxes[index] = faces.boxes[index].toFloat()
            for (index in 0 until 10 * count) points[index] = if (faces.hasPoints) faces.points[index].toFloat() else -1f
            frameWidth = width
            frameHeight = height
        }
        postInvalidate()
    }

    override fun onDraw(canvas: Canvas) {
        synchronized(boxes) {
            val scale = min(width.toFloat() / frameWidth, height.toFloat() / frameHeight)
            val left = (width - scale * frameWidth) / 2
            val top = (height - scale * frameHeight) / 2
            for (index in 0 until count) {
                val at = 4 * index
                canvas.drawRect(
                    left + scale * boxes[at],
                    top + scale * boxes[at + 1],
                    left + scale * boxes[at + 2],
                    top + scale * boxes[at + 3],
                    line,
                )
            }
            for (index in 0 until 10 * count step 2) {
                canvas.drawCircle(left + scale * points[index], top + scale * points[index + 1], 6f, dot)
            }
        }
    }

    private companion object {
        const val MOST = 16
    }
}
