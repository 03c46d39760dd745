package io.handlens.engine

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.EngineWrong
import io.handlens.GoldenInvalid
import io.handlens.ImageShapeError
import io.handlens.InputError
import io.handlens.ManifestInvalid
import io.handlens.OptionError
import io.handlens.artifact.Artifact
import io.handlens.artifact.Manifest
import io.handlens.image.Geometry
import io.handlens.image.RgbImage

/**
 * An artifact's model on an engine, held against the manifest and the goldens: images or numbers in, floats out.
 *
 * Everything is allocated when it is opened, or with the first image of a size. Calls from several threads are serialised,
 * but the outputs are those of the last run: threads that share a session hold its lock (`synchronized(session)`) until
 * they have read them, or have a session each.
 *
 * @property manifest of the artifact.
 * @property engineName such as `litert`.
 * @property engineVersion of its library.
 * @property verdict of the golden replay; null where `check` was false or there are no goldens.
 */
public class Session private constructor(
    public val manifest: Manifest,
    public val engineName: String,
    public val engineVersion: String,
    public val verdict: GoldenVerdict?,
) : AutoCloseable {
    /**
     * The input as floats, in the tensor's order: write here, then [run] without arguments. For images use [run] with
     * the image instead: it quantizes pixels as Python does, to the bit, and needs no floats in between.
     */
    public val input: FloatArray = FloatArray(0)

    /**
     * Runs the model on [input]; of an integer tensor, a value becomes `rint(value / scale) + zero point`, clipped.
     *
     * @throws EngineError the engine failed, or is closed.
     */
    public fun run(): Unit = TODO()

    /**
     * Prepares an image as the manifest says, and runs the model on it.
     *
     * @param image upright RGB; for a grey model also grey.
     * @param points x and y of five points (ten numbers, pixels of the image) for [io.handlens.artifact.Fit.ALIGN], else
     *     null.
     * @return where the image's pixels went: maps boxes and points back.
     * @throws ImageShapeError the image has the wrong channels; points are missing, bad, or given for another geometry;
     *     or the model takes no image.
     * @throws EngineError the engine failed, or is closed.
     */
    @JvmOverloads
    public fun run(image: RgbImage, points: DoubleArray? = null): Geometry = TODO("$image $points")

    /**
     * Runs the model on numbers, for [io.handlens.artifact.Fit.VECTOR].
     *
     * @param numbers as many as the input is wide, all finite.
     * @throws InputError the input takes images, or the numbers are too few, too many or not finite.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun run(numbers: DoubleArray): Unit = TODO("$numbers")

    /**
     * The last run's values of an output, dequantized, in C order of the manifest's shape. The array is the same every
     * time, and overwritten by the next run.
     *
     * @throws InputError the model has no such output.
     */
    public fun output(name: String): FloatArray = TODO(name)

    /** Releases the model; a later run fails. Calling it again does nothing. */
    override fun close(): Unit = TODO()

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
        public fun open(artifact: Artifact, factory: EngineFactory, threads: Int = 1, check: Boolean = true): Session =
            TODO("$artifact $factory $threads $check")
    }
}
