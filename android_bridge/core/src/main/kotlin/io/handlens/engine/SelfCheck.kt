package io.handlens.engine

import io.handlens.EngineWrong
import io.handlens.GoldenInvalid
import io.handlens.artifact.Artifact
import io.handlens.artifact.Golden
import io.handlens.artifact.GoldenReader
import io.handlens.artifact.InputSpec
import io.handlens.artifact.Sample
import io.handlens.artifact.hex
import io.handlens.image.Patterns
import io.handlens.image.RgbImage
import io.handlens.image.TensorWriter
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest

/** Golden replay: an engine that runs is not an engine that is right. */
internal object SelfCheck {
    /** The bytes (little endian) that a golden's input must have, for its hash. */
    fun tensor(golden: Golden, spec: InputSpec): ByteArray {
        val bytes = ByteBuffer.allocate(spec.elements * spec.dtype.bytes).order(ByteOrder.LITTLE_ENDIAN)
        TensorWriter(spec).write(pattern(golden, spec).pixels, bytes)
        return bytes.array()
    }

    /**
     * Runs every golden.
     *
     * @param run feeds a pattern's pixels and runs the model.
     * @param outputs the last run's values of an output.
     * @throws GoldenInvalid an input comes out differently here, so outputs cannot be compared.
     */
    fun replay(artifact: Artifact, run: (ByteArray) -> Unit, outputs: (String) -> FloatArray): GoldenVerdict {
        val rows = ArrayList<GoldenRow>()
        for (golden in artifact.goldens) {
            val spec = artifact.manifest.input
            val digest = MessageDigest.getInstance("SHA-256").digest(tensor(golden, spec))
            if (hex(digest) != golden.inputSha256) {
                throw GoldenInvalid(
                    "golden ${golden.generator} ${golden.seed}: pre-processing gives another tensor here than where " +
                        "the artifact was written; export it again with this handlens, or update the library of the " +
                            "app",
                )
            }
            run(pattern(golden, spec).pixels)
            for (output in artifact.manifest.outputs) {
                val expected = golden.outputs.getValue(output.name)
                val answer = outputs(output.name)
                val step = if (expected.shape == output.shape) 1 else Sample.step(answer.size)
                var error = 0.0
                for (i in 0 until expected.size) {
                    error = maxOf(error, Math.abs(answer[i * step].toDouble() - expected[i]))
                }
                if (answer.any { it.isNaN() || it.isInfinite() }) error = Double.POSITIVE_INFINITY
                val allowed = GoldenReader.allowed(output.tolerance, expected)
                rows += GoldenRow(golden.generator, golden.seed, output.name, error, allowed)
            }
        }
        return GoldenVerdict(rows)
    }

    /** Why a verdict is bad, and what to do; in one line. */
    fun refuse(artifact: Artifact, engine: Engine, verdict: GoldenVerdict): EngineWrong {
        val worst = checkNotNull(verdict.worst)
        return EngineWrong(
            "engine ${engine.name} ${engine.version} answers ${artifact.name} wrongly: " +
                "${verdict.rows.count { !it.passed }} of ${verdict.rows.size} golden outputs; worst is " +
                "${worst.output} for ${worst.generator} ${worst.seed}, off by ${worst.maxAbsError} where " +
                    "${worst.allowed} is allowed; use another engine or another version of it",
        )
    }

    private fun pattern(golden: Golden, spec: InputSpec): RgbImage =
        Patterns.generate(golden.generator, golden.seed, spec.height, spec.width, spec.channels)
}
