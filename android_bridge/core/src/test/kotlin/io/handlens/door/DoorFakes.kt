package io.handlens.door

import io.handlens.RateUnsupported
import io.handlens.artifact.Threshold
import io.handlens.image.RgbImage
import io.handlens.task.Box
import io.handlens.task.Face
import io.handlens.task.Gender
import io.handlens.task.Point
import java.util.Random
import kotlin.math.sqrt

/** A detector and a verifier made of arithmetic: the first pixel of an image says who is in it and how many. */
internal object DoorFakes {
    const val MODEL = "0123456789abcdef0123456789abcdef"
    const val OTHER = "fedcba9876543210fedcba9876543210"
    private val points =
        listOf(Point(90.0, 100.0), Point(150.0, 100.0), Point(120.0, 136.0), Point(96.0, 170.0), Point(144.0, 170.0))

    /** A checkered image (240, 240) that passes every gate; the same person and moment give the same one. */
    fun shot(person: Int, moment: Int = 0, faces: Int = 1): RgbImage {
        val random = Random(1000L * person + moment)
        val cells = ByteArray(20 * 20) { if (random.nextBoolean()) 60 else 190.toByte() }
        val pixels = ByteArray(240 * 240 * 3) { index -> cells[index / 3 / 240 / 12 * 20 + index / 3 % 240 / 12] }
        pixels[0] = person.toByte()
        pixels[1] = moment.toByte()
        pixels[2] = faces.toByte()
        return RgbImage(pixels, 240, 240)
    }

    class Detector(private val gender: Gender? = null) : FaceFinder {
        var closed = 0

        override fun detect(image: RgbImage): List<Face> =
            List(image.pixels[2].toInt()) { Face(Box(70.0, 60.0, 170.0, 200.0), 0.9, points, gender) }

        override fun close() {
            closed++
        }
    }

    class Verifier(
        override val modelId: String = MODEL,
        private val rates: List<Double> = listOf(1e-1, 1e-2, 1e-3),
    ) : FaceEmbedder {
        var calls = 0
        override val dimension = 32
        override val thresholds get() = rates.map(::limit)

        override fun embed(image: RgbImage, face: Face): FloatArray {
            calls++
            val (person, moment) = image.pixels
            val own = direction(person.toLong())
            val light = direction(1000L + 100 * person + moment)
            return unit(DoubleArray(dimension) { own[it] + 0.3 * light[it] })
        }

        override fun threshold(fmr: Double): Threshold =
            if (fmr in rates) limit(fmr) else throw RateUnsupported("no threshold for $fmr; measured ones: $rates")

        override fun close() = Unit

        private fun limit(rate: Double): Threshold {
            val value = mapOf(1e-1 to 0.3, 1e-2 to 0.5, 1e-3 to 0.7)[rate] ?: 0.8
            return Threshold(rate, value, 100_000, 0.0, 2 * rate)
        }

        private fun direction(seed: Long): FloatArray {
            val random = Random(seed)
            return unit(DoubleArray(dimension) { random.nextGaussian() })
        }

        private fun unit(values: DoubleArray): FloatArray {
            val length = sqrt(values.sumOf { it * it })
            return FloatArray(values.size) { (values[it] / length).toFloat() }
        }
    }
}
