package io.handlens.engine.jna

import io.handlens.artifact.Artifact
import io.handlens.engine.GoldenRow
import io.handlens.engine.Session
import io.handlens.testing.Golden
import io.handlens.testing.VectorLog
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ZooTest {
    @Test
    fun `every shipped artifact answers its goldens as Python recorded them`() {
        val folders = listOf("zoo/handlens_zoo/artifacts", "tests/golden/artifacts").map(Golden.root::resolve)
        val files = folders.flatMap { folder -> folder.listFiles { it.extension == "tflite" }.orEmpty().asList() }
        val artifacts = files.map { Artifact.open(it.readBytes(), it.name) }
        assertTrue(artifacts.size > 8) { "only ${artifacts.size} artifacts in the zoo" }
        val rows = artifacts.flatMap { artifact ->
            Session.open(artifact, LiteRtJnaEngine).use { checkNotNull(it.verdict).rows }
        }
        assertEquals(emptyList<GoldenRow>(), rows.filterNot { it.passed })
        VectorLog.record("models-litert", rows.size, rows.maxOf { it.maxAbsError / it.allowed })
    }
}
