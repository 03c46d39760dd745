package io.handlens.bundle

import io.handlens.android.Assets
import io.handlens.artifact.Artifact
import io.handlens.engine.interpreter.InterpreterEngine
import io.handlens.engine.ort.OrtEngine
import io.handlens.testing.Golden
import org.jetbrains.kotlin.abi.tools.AbiFilters
import org.jetbrains.kotlin.abi.tools.AbiTools
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.util.zip.ZipFile

/**
 * The public API is locked, as that of Python is: a change is seen in review, and is a line in the changelog.
 * `mvn -pl bundle -am test -Dapi=update` writes the dump anew.
 */
class ApiTest {
    @TempDir
    private lateinit var folder: File
    private val dump = Golden.root.resolve("android_bridge/bundle/api/handlens.api")

    /** What the AAR carries: one class of each module, so that its folder is found. */
    private val modules = listOf(Artifact::class, OrtEngine::class, InterpreterEngine::class, Assets::class)

    @Test
    fun `the public api is the recorded one`() {
        val now = seen()
        if (System.getProperty("handlens.api") == "update") dump.writeText(now)
        assertTrue(dump.isFile) { "$dump is missing; write it with: mvn -pl bundle -am test -Dapi=update" }
        assertEquals(dump.readText(), now) {
            "the public API changed; if that is meant, write the dump anew (-Dapi=update), and a line in the changelog"
        }
    }

    @Test
    fun `the dump knows what is public, and leaves out what is internal`() {
        val now = seen()
        assertTrue("public final class io/handlens/door/Door " in now)
        assertTrue("public fun verify (" in now || "fun verify (Ljava/lang/String;" in now)
        assertTrue("io/handlens/door/Sealed" !in now && "resetAttempts" in now)
    }

    private fun seen(): String {
        val classes = modules.flatMap { module ->
            val place = File(module.java.protectionDomain.codeSource.location.toURI())
            // A folder in `mvn test`, a jar in `mvn verify`.
            val classes = if (place.isDirectory) place else unpacked(place)
            classes.walkTopDown().filter { it.extension == "class" }.toList()
        }
        val text = StringBuilder()
        AbiTools.getInstance().printJvmDump(text, classes.sorted(), AbiFilters.EMPTY)
        return text.toString().trimEnd() + "\n"
    }

    private fun unpacked(jar: File): File = folder.resolve(jar.nameWithoutExtension).also { target ->
        ZipFile(jar).use { zip ->
            for (entry in zip.entries().asSequence().filter { it.name.endsWith(".class") }) {
                val file = target.resolve(entry.name)
                file.parentFile.mkdirs()
                zip.getInputStream(entry).use { from -> file.outputStream().use(from::copyTo) }
            }
        }
    }
}
