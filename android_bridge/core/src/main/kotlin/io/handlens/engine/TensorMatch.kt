package io.handlens.engine

import io.handlens.ManifestInvalid
import io.handlens.artifact.Dtype
import io.handlens.artifact.InputSpec
import io.handlens.artifact.OutputSpec

/** What a manifest says of a tensor. */
internal class Expected(
    val name: String,
    val shape: List<Int>,
    val dtype: Dtype,
    val scale: Double?,
    val zeroPoint: Int?,
) {
    constructor(spec: InputSpec) : this(spec.name, spec.shape, spec.dtype, spec.quantScale, spec.quantZeroPoint)
    constructor(spec: OutputSpec) : this(spec.name, spec.shape, spec.dtype, spec.quantScale, spec.quantZeroPoint)
}

/**
 * Holds a model's tensors against the manifest's: the same names, dtypes, shapes and quantization, none more.
 *
 * @return for each of [specs] the model's tensor, with the manifest's quantization where the engine reports none (ONNX
 *     keeps it in no place that an engine reports).
 * @throws ManifestInvalid they differ.
 */
internal fun matchTensors(what: String, found: List<TensorInfo>, specs: List<Expected>): List<TensorInfo> {
    val names = specs.map { it.name }
    if (found.map { it.name }.sorted() != names.sorted()) {
        throw ManifestInvalid("the manifest names the ${what}s $names; the model has ${found.map { it.name }}")
    }
    return specs.map { spec ->
        val info = found.first { it.name == spec.name }
        if (info.shape.asList() != spec.shape || info.dtype != spec.dtype) {
            throw ManifestInvalid(
                "the manifest says $what ${spec.name} is ${spec.dtype.key} ${spec.shape}; in the model it is " +
                    "${info.dtype.key} ${info.shape.asList()}",
            )
        }
        if (info.quantScale != null && !sameQuantization(info.quantScale, info.quantZeroPoint, spec)) {
            throw ManifestInvalid(
                "the manifest says $what ${spec.name} has scale ${spec.scale} and zero point ${spec.zeroPoint}; in " +
                    "the model it is ${info.quantScale} and ${info.quantZeroPoint}",
            )
        }
        val own = info.quantScale != null
        TensorInfo(
            info.name,
            info.shape,
            info.dtype,
            if (own) info.quantScale else spec.scale?.toFloat(),
            if (own) info.quantZeroPoint else spec.zeroPoint,
        )
    }
}

private fun sameQuantization(scale: Float, zeroPoint: Int?, spec: Expected): Boolean {
    val wanted = spec.scale ?: return false
    // The file holds the scale as a float32; a manifest may hold it as any decimal that rounds to it.
    return Math.abs(wanted - scale) <= 1e-6 * scale && zeroPoint == spec.zeroPoint
}
