package io.handlens.artifact

import io.handlens.HandlensException
import io.handlens.at
import io.handlens.get
import io.handlens.int
import io.handlens.isTrue
import io.handlens.list
import io.handlens.rows
import io.handlens.testing.Golden as Files
import io.handlens.testing.VectorLog
import io.handlens.text
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import java.io.ByteArrayOutputStream
import java.util.Base64
import java.util.zip.InflaterInputStream

class RefusalsTest {
    @Test
    fun `every changed artifact is refused by the name that Python gives`() {
        val rows = rows("refusals.json")
        for (row in rows) {
            val found = try {
                Artifact.open(edited(row))
                null
            } catch (error: HandlensException) {
                assertTrue(error.message.orEmpty().length in 10..1000)
                error.javaClass.simpleName
            }
            assertEquals((row["refused"] as? JsonText)?.value, found, "$row".take(300))
        }
        VectorLog.record("artifact", rows.size, 0.0)
    }

    /** The bytes that a row stands for, as tests/golden/make_refusals.py says. */
    private fun edited(row: JsonValue): ByteArray {
        var data = Files.file("artifacts/" + row.at("file").text).readBytes()
        row["cut"]?.let { data = data.copyOf(it.int) }
        for (edit in row["put"]?.list.orEmpty()) {
            val bytes = edit[1].text.chunked(2).map { it.toInt(16).toByte() }.toByteArray()
            if (edit[0].int + bytes.size > data.size) data = data.copyOf(edit[0].int + bytes.size)
            bytes.copyInto(data, edit[0].int)
        }
        row["tail"]?.let { edit ->
            val packed = Base64.getDecoder().decode(edit[1].text)
            data = data.copyOf(edit[0].int) + InflaterInputStream(packed.inputStream()).readBytes()
        }
        return if (row["seal"]?.isTrue == true) sealed(data) else data
    }
}

/** Bytes with the right hash in their last 80. */
internal fun sealed(data: ByteArray): ByteArray {
    val out = ByteArrayOutputStream()
    val body = data.copyOf(data.size - Seal.LENGTH)
    out.write(body)
    out.write("handlens sha256=${Bytes(java.nio.ByteBuffer.wrap(body)).sha256()}".toByteArray())
    return out.toByteArray()
}
