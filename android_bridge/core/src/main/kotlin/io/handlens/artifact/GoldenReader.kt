package io.handlens.artifact

import io.handlens.GoldenInvalid
import io.handlens.ManifestInvalid
import io.handlens.image.Patterns
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** From `goldens.json` and `goldens.bin` to [Golden]s, and whether they can tell a wrong engine from a right one. */
internal object GoldenReader {
    const val INDEX = "goldens.json"
    const val VALUES = "goldens.bin"
    private const val MAX_GOLDENS = 32
    private const val MAX_SEED = 1L shl 53

    // An output must move between the goldens by this part of its largest value, and by this many tolerances: else an
    // engine that always answers the same would pass.
    private const val MIN_SPREAD = 0.05
    private const val MIN_SPREAD_IN_TOLERANCES = 4.0

    fun read(index: ByteArray, values: ByteArray): List<Golden> {
        if (index.any { it < 0 }) throw GoldenInvalid("the goldens are damaged: $INDEX is not ASCII")
        val floats = ByteBuffer.wrap(values).order(ByteOrder.LITTLE_ENDIAN)
        val goldens = try {
            Fields.list(Json.parse(String(index, Charsets.US_ASCII), INDEX), INDEX) { item, place ->
                val fields = Fields(item, place, "generator seed input_sha256 outputs")
                val shapes = Fields.map(fields.value("outputs"), fields.place("outputs")) { shape, where ->
                    Fields.list(shape, where) { side, at -> Fields.whole(side, at) }
                }
                golden(fields, shapes.mapValues { (name, shape) -> take(floats, name, shape) })
            }
        } catch (error: ManifestInvalid) {
            throw GoldenInvalid("the goldens are damaged: ${error.message}", error)
        }
        if (floats.hasRemaining()) {
            throw GoldenInvalid("$VALUES has ${values.size} bytes; $INDEX asks for ${floats.position()}")
        }
        return goldens
    }

    /** @throws GoldenInvalid the goldens do not fit the manifest's outputs, or these hardly vary. */
    fun check(goldens: List<Golden>, manifest: Manifest) {
        if (goldens.size !in 2..MAX_GOLDENS) {
            throw GoldenInvalid("there are ${goldens.size} goldens; expected 2 to $MAX_GOLDENS")
        }
        for (golden in goldens) {
            val fits = golden.outputs.keys == manifest.outputs.map { it.name }.toSet() && manifest.outputs.all {
                val shape = golden.outputs.getValue(it.name).shape
                shape == it.shape || shape == Sample.shape(it.shape)
            }
            if (!fits) {
                throw GoldenInvalid(
                    "golden ${golden.generator} ${golden.seed} has outputs " +
                        "${golden.outputs.mapValues { it.value.shape }}; the manifest has " +
                            "${manifest.outputs.associate { it.name to it.shape }}",
                )
            }
        }
        for (spec in manifest.outputs) {
            val values = goldens.map { it.outputs.getValue(spec.name) }
            checkSpread(spec.name, values, values.maxOf { allowed(spec.tolerance, it) })
        }
    }

    /** How far an output may be from a golden's, in float units. */
    fun allowed(tolerance: Tolerance, expected: GoldenValues): Double {
        var largest = 0.0
        for (index in 0 until expected.size) largest = maxOf(largest, Math.abs(expected[index].toDouble()))
        return tolerance.absolute + tolerance.relative * largest
    }

    private fun golden(fields: Fields, outputs: Map<String, GoldenValues>): Golden {
        val generator = fields.text("generator")
        val seed = fields.whole("seed")
        val sha256 = fields.text("input_sha256")
        if (generator !in Patterns.NAMES) {
            throw GoldenInvalid("golden pattern ${show(generator)} is unknown; valid: ${Patterns.NAMES.joinToString()}")
        }
        if (seed !in 0..MAX_SEED || !isHex(sha256, 64)) {
            throw GoldenInvalid("golden $generator has seed $seed and input ${show(sha256)}")
        }
        for ((name, values) in outputs) {
            for (index in 0 until values.size) {
                if (values[index].isNaN() || values[index].isInfinite()) {
                    throw GoldenInvalid("golden $generator $seed: output ${show(name)} is not finite float32")
                }
            }
        }
        return Golden(generator, seed, sha256, outputs)
    }

    private fun take(floats: ByteBuffer, name: String, shape: List<Long>): GoldenValues {
        var count = 1L
        for (side in shape) {
            if (side < 1) throw GoldenInvalid("$INDEX has an output ${show(name)} of shape $shape")
            count = if (count > floats.limit() || side > floats.limit()) Long.MAX_VALUE / 8 else count * side
        }
        if (4 * count > floats.remaining()) {
            throw GoldenInvalid("$VALUES has ${floats.limit()} bytes; $INDEX asks for more")
        }
        return GoldenValues(shape.map { it.toInt() }, FloatArray(count.toInt()) { floats.getFloat() })
    }

    private fun checkSpread(name: String, values: List<GoldenValues>, allowed: Double) {
        if (values.any { it.size != values[0].size }) {
            throw GoldenInvalid(
                "output $name is whole in one golden and a sample in another; expected one or the other",
            )
        }
        var spread = 0.0
        var largest = 0.0
        for (index in 0 until values[0].size) {
            var low = Double.POSITIVE_INFINITY
            var high = Double.NEGATIVE_INFINITY
            for (golden in values) {
                low = minOf(low, golden[index].toDouble())
                high = maxOf(high, golden[index].toDouble())
            }
            spread = maxOf(spread, high - low)
            largest = maxOf(largest, Math.abs(low), Math.abs(high))
        }
        val needed = maxOf(MIN_SPREAD * largest, MIN_SPREAD_IN_TOLERANCES * allowed)
        if (spread <= needed) {
            throw GoldenInvalid(
                "output $name hardly varies between the goldens: by $spread, needed is more than $needed (largest " +
                    "value $largest, tolerance $allowed); is the model trained, and the tolerance sane?",
            )
        }
    }
}

/** Which values of a large output a golden vector keeps. */
internal object Sample {
    private const val LIMIT = 512

    /** Every how many values of an output of [count] are kept: no factor in common with the count; 1 where all are. */
    fun step(count: Int): Int {
        var step = (count + LIMIT - 1) / LIMIT
        while (gcd(step, count) != 1) step++
        return step
    }

    fun shape(shape: List<Int>): List<Int> {
        val count = shape.fold(1) { product, side -> product * side }
        val step = step(count)
        return if (step == 1) shape else listOf((count + step - 1) / step)
    }

    private tailrec fun gcd(a: Int, b: Int): Int = if (b == 0) a else gcd(b, a % b)
}
