package io.handlens.engine

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.EngineWrong
import io.handlens.GoldenInvalid
import io.handlens.HandlensException
import io.handlens.ImageShapeError
import io.handlens.InputError
import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.artifact.Dtype
import io.handlens.artifact.Fit
import io.handlens.artifact.Manifest
import io.handlens.image.FloatView
import io.handlens.image.Geometry
import io.handlens.image.Preprocessor
import io.handlens.image.RgbImage
import io.handlens.image.TensorWriter
import io.handlens.image.putAll
import io.handlens.image.quantize
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * An artifact's model on an engine, held against the manifest and the goldens: images or numbers in, floats out.
 *
 * Everything is allocated when it is opened, or with the first image of a size. Calls from several threads are
 * serialised, but the outputs are those of the last run: threads that share a session hold its lock
 * (`synchronized(session)`) until they have read them, or have a session each.
 *
 * @property manifest of the artifact.
 */
public class Session private constructor(public val manifest: Manifest, private val engine: Engine) : AutoCloseable {
    private val spec = manifest.input
    private val info = matchTensors("input", engine.inputs, listOf(Expected(spec))).single()
    private val feed = ByteBuffer.allocateDirect(spec.elements * spec.dtype.bytes).order(ByteOrder.nativeOrder())
    private val feedFloats = FloatView()
    private val feedBytes = ByteArray(if (spec.dtype == Dtype.FLOAT32) 0 else spec.elements)
    private val outputs = matchTensors("output", engine.outputs, manifest.outputs.map(::Expected)).map { found ->
        Output(manifest.outputs.first { it.name == found.name }, found.quantScale ?: 1f, found.quantZeroPoint ?: 0)
    }

    /** The outputs' buffers in the engine's order. */
    private val into = engine.outputs.map { found -> outputs.first { it.name == found.name }.bytes }
    private val preprocessor by lazy(LazyThreadSafetyMode.NONE) { Preprocessor(spec) }
    private var open = true

    /** Such as `litert`. */
    public val engineName: String = engine.name

    /** Of the engine's library. */
    public val engineVersion: String = engine.version

    /** The outcome of the golden replay; null where `check` was false or there are no goldens. */
    public var verdict: GoldenVerdict? = null
        private set

    /**
     * The input as floats, in the tensor's order: write here, then [run] without arguments. For images use [run] with
     * the image instead: it quantizes pixels as Python does, to the bit, and needs no floats in between.
     */
    public val input: FloatArray = FloatArray(spec.elements)

    /**
     * Runs the model on [input]; of an integer tensor, a value becomes `rint(value / scale) + zero point`, clipped.
     *
     * @throws EngineError the engine failed, or is closed.
     */
    @Synchronized
    public fun run() {
        if (spec.dtype == Dtype.FLOAT32) {
            feedFloats.of(feed).put(input)
        } else {
            val scale = info.quantScale ?: 1f
            val zeroPoint = info.quantZeroPoint ?: 0
            val low = spec.dtype.range.first.toFloat()
            val high = spec.dtype.range.last.toFloat()
            for (i in input.indices) {
                val steps = Math.rint((input[i] / scale).toDouble()).toFloat() + zeroPoint
                feedBytes[i] = (if (steps < low) low else if (steps > high) high else steps).toInt().toByte()
            }
            putAll(feed, feedBytes)
        }
        invoke()
    }

    /**
     * Prepares an image as the manifest says, and runs the model on it.
     *
     * @param image upright RGB; for a grey model also grey.
     * @param points x and y of five points (ten numbers, pixels of the image) for [Fit.ALIGN], else null.
     * @return where the image's pixels went: maps boxes and points back.
     * @throws ImageShapeError the image has the wrong channels; points are missing, bad, or given for another geometry;
     *     or the model takes no image.
     * @throws EngineError the engine failed, or is closed.
     */
    @JvmOverloads
    @Synchronized
    public fun run(image: RgbImage, points: DoubleArray? = null): Geometry {
        val geometry = preprocessor.into(image, feed, points)
        invoke()
        return geometry
    }

    /**
     * Runs the model on numbers, for [Fit.VECTOR].
     *
     * @param numbers as many as the input is wide, all finite.
     * @throws InputError the input takes images, or the numbers are too few, too many or not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    @Synchronized
    public fun run(numbers: DoubleArray) {
        if (spec.fit != Fit.VECTOR) {
            throw InputError("the input ${spec.name} has geometry ${spec.fit.key}: it takes images, not numbers")
        }
        if (numbers.size != spec.width || numbers.any { it.isNaN() || it.isInfinite() }) {
            throw InputError("the input ${spec.name} got ${numbers.size} numbers; expected ${spec.width}, all finite")
        }
        val scale = spec.quantScale
        val zeroPoint = spec.quantZeroPoint
        if (scale == null || zeroPoint == null) {
            for (i in numbers.indices) input[i] = numbers[i].toFloat()
            feedFloats.of(feed).put(input)
        } else {
            for (i in numbers.indices) feedBytes[i] = quantize(numbers[i], scale, zeroPoint, spec.dtype)
            putAll(feed, feedBytes)
        }
        invoke()
    }

    /**
     * The last run's values of an output, dequantized, in C order of the manifest's shape. The array is the same every
     * time, and overwritten by the next run.
     *
     * @throws InputError the model has no such output.
     */
    public fun output(name: String): FloatArray {
        for (i in outputs.indices) if (outputs[i].name == name) return outputs[i].floats
        throw InputError("the model has no output '$name'; it has ${outputs.joinToString { it.name }}")
    }

    /** Releases the model; a later run fails. Calling it again does nothing. */
    @Synchronized
    override fun close() {
        if (!open) return
        open = false
        engine.close()
    }

    private fun invoke() {
        if (!open) throw EngineError("this $engineName engine was closed; open another")
        try {
            engine.run(feed, into)
        } catch (error: HandlensException) {
            throw error
        } catch (error: RuntimeException) {
            throw EngineError("$engineName $engineVersion failed on this model: ${error.message}", error)
        }
        for (i in outputs.indices) outputs[i].dequantize()
    }

    private fun check(artifact: Artifact) {
        val writer = TensorWriter(spec)
        val found = SelfCheck.replay(
            artifact,
            run = { pixels ->
                writer.write(pixels, feed)
                invoke()
            },
            outputs = ::output,
        )
        if (!found.passed) throw SelfCheck.refuse(artifact, engine, found)
        verdict = found
    }

    public companion object {
        /**
         * Opens a verified artifact's model on an engine.
         *
         * @param artifact from [Artifact.open].
         * @param factory of the engine.
         * @param threads for the engine to use.
         * @param check replay the goldens first, and refuse an engine that answers them wrongly.
         * @throws OptionError fewer threads than 1.
         * @throws EngineUnavailable the engine's library is missing, or it cannot read this model.
         * @throws ManifestInvalid the model has not the tensors the manifest names.
         * @throws EngineWrong the engine answers the goldens wrongly; names output, error and tolerance.
         * @throws GoldenInvalid pre-processing gives another input here than where the artifact was written.
         */
        @JvmStatic
        @JvmOverloads
        public fun open(artifact: Artifact, factory: EngineFactory, threads: Int = 1, check: Boolean = true): Session {
            if (threads < 1) throw OptionError("threads is $threads; expected 1 or more")
            val engine = factory.open(artifact, threads)
            try {
                val session = Session(artifact.manifest, engine)
                if (check && artifact.goldens.isNotEmpty()) session.check(artifact)
                return session
            } catch (error: Throwable) {
                engine.close()
                throw error
            }
        }
    }
}
