package io.handlens.engine

import io.handlens.EngineError
import io.handlens.EngineUnavailable
import io.handlens.artifact.Artifact
import io.handlens.artifact.Dtype
import java.nio.ByteBuffer

/**
 * An input or output of a loaded model.
 *
 * @property name from the model's signature where it has one.
 * @property shape with the batch in front; -1 for a size that is not fixed.
 * @property dtype of its values.
 * @property quantScale of an integer tensor that stands for floats: `(value - quantZeroPoint) * quantScale`; null where
 *     the engine reports none.
 * @property quantZeroPoint of the same.
 */
public class TensorInfo(
    public val name: String,
    public val shape: IntArray,
    public val dtype: Dtype,
    public val quantScale: Float? = null,
    public val quantZeroPoint: Int? = null,
) {
    /** How many bytes its values take; 0 where a size is not fixed. */
    public val byteCount: Int
        get() = shape.fold(dtype.bytes.toLong()) { product, side -> product * maxOf(side, 0) }
            .coerceAtMost(Int.MAX_VALUE.toLong()).toInt()

    override fun toString(): String = "$name: $dtype ${shape.asList()}"
}

/**
 * A loaded model, ready to run: raw tensors in and out.
 *
 * Not thread-safe, and unchecked: [Session] holds it against the manifest and the goldens, serialises calls, and turns
 * bytes into floats. [run] allocates nothing, so that a frame loop does not either.
 */
public interface Engine : AutoCloseable {
    /** Such as `litert`. */
    public val name: String

    /** Of its library. */
    public val version: String

    /** The model's inputs, in the model's order. */
    public val inputs: List<TensorInfo>

    /** The model's outputs, in the model's order. */
    public val outputs: List<TensorInfo>

    /**
     * Runs the model once.
     *
     * @param feed the values of the one input: a direct buffer in native byte order, read from position 0, of
     *     [TensorInfo.byteCount] bytes. Its position and limit are as before afterwards.
     * @param into a buffer of the same kind for each of [outputs], in that order; written from position 0.
     * @throws EngineError the engine failed, or is closed.
     */
    public fun run(feed: ByteBuffer, into: List<ByteBuffer>)

    /** Releases the model; a later [run] fails. Calling it again does nothing. */
    override fun close()
}

/** Opens engines of one kind. */
public fun interface EngineFactory {
    /**
     * Loads an artifact's model.
     *
     * @param threads for the engine to use, 1 or more.
     * @throws EngineUnavailable the engine's library is missing, or it cannot read this model.
     */
    public fun open(artifact: Artifact, threads: Int): Engine
}
