package io.handlens.image

/**
 * The exact average of an image over the area that each new pixel covers, in integers: (2 S + n) / (2 n), where S is
 * the sum of source values weighted by the covered part, and n the sum of weights. Halves round up.
 */
internal class AreaAverage {
    private val rows = AreaAxis()
    private val columns = AreaAxis()
    private var line = IntArray(0)

    /**
     * @param source bytes of [channels] a pixel, its first pixel at [start], [stride] bytes a row.
     * @param target likewise, at [targetStart] and [targetStride].
     */
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
        val span = width * channels
        if (line.size < span) line = IntArray(span)
        val weight = rows.unit.toLong() * columns.unit
        // 2 * 255 * weight + weight is the largest number on the way.
        val small = weight < Int.MAX_VALUE / 512
        for (y in 0 until targetHeight) {
            sumRows(source, start, stride, span, y)
            val at = targetStart + y * targetStride
            for (c in 0 until channels) {
                if (small) {
                    averageInt(c, channels, target, at, targetWidth, weight.toInt())
                } else {
                    averageLong(c, channels, target, at, targetWidth, weight)
                }
            }
        }
    }

    /** Adds up the rows that a new row covers, each by the part of it that is covered. */
    private fun sumRows(source: ByteArray, start: Int, stride: Int, span: Int, y: Int) {
        val line = line
        val first = rows.first[y]
        val last = rows.first[y + 1]
        val whole = rows.share
        val head = whole - rows.part[y]
        val from = start + first * stride
        for (i in 0 until span) line[i] = (source[from + i].toInt() and 0xFF) * head
        for (row in first + 1 until last) {
            val at = start + row * stride
            if (whole == 1) {
                for (i in 0 until span) line[i] += source[at + i].toInt() and 0xFF
            } else {
                for (i in 0 until span) line[i] += (source[at + i].toInt() and 0xFF) * whole
            }
        }
        val tail = rows.part[y + 1]
        if (tail > 0) {
            val at = start + last * stride
            for (i in 0 until span) line[i] += (source[at + i].toInt() and 0xFF) * tail
        }
    }

    private fun averageInt(c: Int, channels: Int, target: ByteArray, start: Int, width: Int, weight: Int) {
        val line = line
        val first = columns.first
        val part = columns.part
        val share = columns.share
        var at = start + c
        for (x in 0 until width) {
            var sum = 0
            var place = first[x] * channels + c
            val end = first[x + 1] * channels + c
            val head = line[place] * part[x]
            while (place < end) {
                sum += line[place]
                place += channels
            }
            sum = sum * share - head
            if (part[x + 1] > 0) sum += line[end] * part[x + 1]
            target[at] = ((2 * sum + weight) / (2 * weight)).toByte()
            at += channels
        }
    }

    private fun averageLong(c: Int, channels: Int, target: ByteArray, start: Int, width: Int, weight: Long) {
        val line = line
        val first = columns.first
        val part = columns.part
        val share = columns.share
        var at = start + c
        for (x in 0 until width) {
            var sum = 0L
            var place = first[x] * channels + c
            val end = first[x + 1] * channels + c
            val head = line[place].toLong() * part[x]
            while (place < end) {
                sum += line[place]
                place += channels
            }
            sum = sum * share - head
            if (part[x + 1] > 0) sum += line[end].toLong() * part[x + 1]
            target[at] = ((2 * sum + weight) / (2 * weight)).toByte()
            at += channels
        }
    }
}

/**
 * How an axis of n pixels divides into m: new pixel i begins [part]`[i]` of [share] into pixel [first]`[i]`, and ends
 * where the next begins. All of it is in units of 1 / [share] of a pixel, of which a new pixel covers [unit].
 */
internal class AreaAxis {
    private var size = 0
    private var count = 0

    /** Units in a source pixel: m over the greatest common divisor of n and m. */
    var share = 1
        private set

    /** Units in a new pixel: n over the same. */
    var unit = 1
        private set
    var first = IntArray(0)
        private set
    var part = IntArray(0)
        private set

    fun fit(n: Int, m: Int) {
        if (n == size && m == count) return
        if (first.size < m + 1) {
            first = IntArray(m + 1)
            part = IntArray(m + 1)
        }
        size = n
        count = m
        var a = n
        var b = m
        while (b != 0) {
            val rest = a % b
            a = b
            b = rest
        }
        share = m / a
        unit = n / a
        for (i in 0..m) {
            val edge = i.toLong() * unit
            first[i] = (edge / share).toInt()
            part[i] = (edge % share).toInt()
        }
    }
}
