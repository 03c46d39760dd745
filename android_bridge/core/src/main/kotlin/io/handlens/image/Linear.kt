package io.handlens.image

/**
 * Bilinear interpolation in integers, as OpenCV's INTER_LINEAR_EXACT for bytes; docs/artifact-format.md has the recipe.
 */
internal class Linear {
    private val rows = LinearAxis()
    private val columns = LinearAxis()

    // Two rows, interpolated along x; row j stands in the one of its parity.
    private var even = IntArray(0)
    private var odd = IntArray(0)

    /** Parameters as those of [AreaAverage.run]. */
    fun run(
        source: ByteArray,
        start: Int,
        stride: Int,
        height: Int,
        width: Int,
        channels: Int,
        target: ByteArray,
        targetStart: Int,
        targetStride: Int,
        targetHeight: Int,
        targetWidth: Int,
    ) {
        rows.fit(height, targetHeight)
        columns.fit(width, targetWidth)
        val span = targetWidth * channels
        if (even.size < span) {
            even = IntArray(span)
            odd = IntArray(span)
        }
        var inEven = -1
        var inOdd = -1
        for (y in 0 until targetHeight) {
            val upper = rows.first[y]
            val lower = rows.second[y]
            for (row in upper..lower) {
                val into = if (row and 1 == 0) even else odd
                if (row == (if (row and 1 == 0) inEven else inOdd)) continue
                if (row and 1 == 0) inEven = row else inOdd = row
                across(source, start + row * stride, channels, targetWidth, into)
            }
            val a = if (upper and 1 == 0) even else odd
            val b = if (lower and 1 == 0) even else odd
            val below = rows.weight[y]
            val above = ONE - below
            val at = targetStart + y * targetStride
            for (i in 0 until span) target[at + i] = ((a[i] * above + b[i] * below + HALF) shr 16).toByte()
        }
    }

    private fun across(source: ByteArray, start: Int, channels: Int, width: Int, into: IntArray) {
        val first = columns.first
        val second = columns.second
        val weight = columns.weight
        if (channels == 1) {
            for (x in 0 until width) {
                val right = weight[x]
                val a = source[start + first[x]].toInt() and 0xFF
                val b = source[start + second[x]].toInt() and 0xFF
                into[x] = a * (ONE - right) + b * right
            }
            return
        }
        var at = 0
        for (x in 0 until width) {
            val right = weight[x]
            val left = ONE - right
            val a = start + 3 * first[x]
            val b = start + 3 * second[x]
            into[at] = (source[a].toInt() and 0xFF) * left + (source[b].toInt() and 0xFF) * right
            into[at + 1] = (source[a + 1].toInt() and 0xFF) * left + (source[b + 1].toInt() and 0xFF) * right
            into[at + 2] = (source[a + 2].toInt() and 0xFF) * left + (source[b + 2].toInt() and 0xFF) * right
            at += 3
        }
    }

    private companion object {
        const val ONE = 256
        const val HALF = 1 shl 15
    }
}

/** Between which two of n places each of m new ones lies, and how far from the first to the second, in 1/256. */
internal class LinearAxis {
    private var size = 0
    private var count = 0
    var first = IntArray(0)
        private set
    var second = IntArray(0)
        private set
    var weight = IntArray(0)
        private set

    fun fit(n: Int, m: Int) {
        if (n == size && m == count) return
        if (first.size < m) {
            first = IntArray(m)
            second = IntArray(m)
            weight = IntArray(m)
        }
        size = n
        count = m
        val step = 1.0 / (m.toDouble() / n)
        for (i in 0 until m) {
            val place = step * (i + 0.5) - 0.5
            val floor = Math.floor(place)
            val j = floor.toInt()
            val inside = j >= 0 && j < n - 1
            first[i] = if (j < 0) 0 else minOf(j, n - 1)
            second[i] = if (inside) j + 1 else first[i]
            weight[i] = if (inside) Math.rint((place - floor) * 256).toInt() else 0
        }
    }
}
