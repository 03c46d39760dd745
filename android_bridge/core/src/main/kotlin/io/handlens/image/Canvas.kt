package io.handlens.image

/**
 * What the patterns draw on: the recipes of Python's `_patterns.py`, draw by draw in its order.
 *
 * A pixel (x, y) of a W x H image has coordinates u = (2x + 1) * 512 / W and v = (2y + 1) * 512 / H, 0..1023 each.
 * Divisions round down.
 */
internal class Canvas(private val draws: Draws, private val height: Int, private val width: Int) {
    private val values = IntArray(height * width * 3)

    /** The picture in bytes, cut to 0..255; one channel is (299 R + 587 G + 114 B + 500) / 1000. */
    fun bytes(channels: Int): ByteArray {
        for (at in values.indices) values[at] = values[at].coerceIn(0, 255)
        if (channels == 3) return ByteArray(values.size) { values[it].toByte() }
        return ByteArray(height * width) {
            ((299 * values[3 * it] + 587 * values[3 * it + 1] + 114 * values[3 * it + 2] + 500) / 1000).toByte()
        }
    }

    fun gradient() {
        val first = draws.colour()
        val second = draws.colour()
        val direction = draws.below(4)
        each { at, u, v ->
            val along = when (direction) {
                0 -> u
                1 -> v
                2 -> (u + v) / 2
                else -> (u + 1023 - v) / 2
            }
            for (c in 0..2) values[at + c] = (first[c] * (1023 - along) + second[c] * along) / 1023
        }
    }

    fun stripes() {
        val first = draws.colour()
        val second = draws.colour()
        val dx = draws.between(-8, 8)
        val dy = draws.between(1, 8)
        val period = draws.between(40, 200)
        each { at, u, v ->
            val band = Math.floorMod(Math.floorDiv((u * dx + v * dy) shr 3, period), 2)
            set(at, if (band == 0) first else second)
        }
    }

    fun noise() {
        for (octave in 0..3) {
            val cells = 3 shl octave
            val weight = 8 shr octave
            val lattice = Array((cells + 1) * (cells + 1)) { draws.colour() }
            each { at, u, v ->
                val corner = ((v * cells) shr 10) * (cells + 1) + ((u * cells) shr 10)
                val fx = (u * cells) and 1023
                val fy = (v * cells) and 1023
                for (c in 0..2) {
                    val top = lattice[corner][c] * (1024 - fx) + lattice[corner + 1][c] * fx
                    val bottom = lattice[corner + cells + 1][c] * (1024 - fx) + lattice[corner + cells + 2][c] * fx
                    values[at + c] += weight * ((top * (1024 - fy) + bottom * fy) shr 20)
                }
            }
        }
        for (at in values.indices) values[at] = (values[at] / 15 - 128) * 2 + 128
    }

    fun blobs() {
        gradient()
        repeat(12) {
            val x = draws.below(1024)
            val y = draws.below(1024)
            val radius = draws.between(40, 300)
            ellipse(x, y, radius, radius, draws.colour())
        }
    }

    fun figure() {
        noise()
        shade(2, draws.colour(0, 96))
        val skin = draws.colour(60, 230)
        val top = draws.colour()
        val legs = draws.colour()
        val shoes = draws.colour(0, 120)
        val lean = draws.between(-60, 60)
        val waist = draws.between(480, 580)
        for (side in intArrayOf(-1, 1)) {
            val hip = 512 + side * 100 + Math.floorDiv(lean, 2)
            box(hip - 90, waist - 20, hip + 80, 940, legs)
            box(hip - 100, 930, hip + 100, 985, shoes)
            val arm = 512 + side * 260 + lean
            box(arm - 60, 220, arm + 60, waist + 30, darker(top))
            ellipse(arm, waist + 50, 60, 30, skin)
        }
        box(300 + lean, 190, 724 + lean, waist, top)
        ellipse(512 + lean, 200, 215, 50, top)
        if (draws.below(2) == 1) box(620 + lean, 260, 800 + lean, 480, draws.colour())
        ellipse(512 + lean, 105, 125, 80, skin)
        ellipse(512 + lean, 65, 130, 50, draws.colour(0, 160))
    }

    fun face() {
        noise()
        shade(3, draws.colour(0, 150))
        val skin = draws.colour(90, 235)
        val hair = draws.colour(0, 110)
        val lips = draws.colour(60, 160)
        val x = draws.between(440, 584)
        val y = draws.between(470, 570)
        ellipse(x, y - 120, 330, 380, hair)
        ellipse(x, y, 285, 390, skin)
        for (side in intArrayOf(-1, 1)) {
            val eye = x + side * 120
            box(eye - 70, y - 150, eye + 70, y - 120, hair)
            ellipse(eye, y - 80, 62, 34, intArrayOf(235, 235, 235))
            ellipse(eye, y - 80, 28, 30, IntArray(3) { hair[it] / 2 })
        }
        box(x - 28, y - 60, x + 28, y + 90, darker(skin))
        ellipse(x, y + 200, 110, draws.between(20, 50), lips)
    }

    private fun darker(colour: IntArray) = IntArray(3) { colour[it] * 7 / 8 }

    /** Divides what is there, and adds a colour. */
    private fun shade(divisor: Int, colour: IntArray) {
        for (at in values.indices) values[at] = Math.floorDiv(values[at], divisor) + colour[at % 3]
    }

    private fun ellipse(cx: Int, cy: Int, rx: Int, ry: Int, colour: IntArray) {
        val limit = rx.toLong() * rx * ry * ry
        each { at, u, v ->
            val dx = (u - cx).toLong() * ry
            val dy = (v - cy).toLong() * rx
            if (dx * dx + dy * dy <= limit) set(at, colour)
        }
    }

    private fun box(left: Int, top: Int, right: Int, bottom: Int, colour: IntArray) {
        each { at, u, v -> if (u in left until right && v in top until bottom) set(at, colour) }
    }

    private fun set(at: Int, colour: IntArray) {
        for (c in 0..2) values[at + c] = colour[c]
    }

    private inline fun each(draw: (at: Int, u: Int, v: Int) -> Unit) {
        var at = 0
        for (y in 0 until height) {
            val v = (2 * y + 1) * 512 / height
            for (x in 0 until width) {
                draw(at, (2 * x + 1) * 512 / width, v)
                at += 3
            }
        }
    }
}
