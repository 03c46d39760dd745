package io.handlens.bundle

import io.handlens.testing.Golden
import org.jetbrains.kotlin.abi.tools.AbiFilters
import org.jetbrains.kotlin.abi.tools.AbiTools
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/**
 * The public API is locked, as that of Python is: a change is seen in review, and is a line in the changelog.
 * `mvn -pl bundle -am test -Dapi=update` writes the dump anew.
 */
class ApiTest {
    private val dump = Golden.root.resolve("android_bridge/bundle/api/handlens.api")

    /** What the AAR carries. */
    private val modules = listOf("core", "engine-ort", "engine-interpreter", "android")

    @Test
    fun `the public api is the recorded one`() {
        val now = seen()
        if (System.getProperty("handlens.api") == "update") dump.writeText(now)
        assertTrue(dump.isFile) { "$dump is missing; write it with: mvn -pl bundle -am test -Dapi=update" }
        val (recorded, found) = dump.readLines() to now.lines()
        val changed = (recorded - found.toSet()).map { "-$it" } + (found - recorded.toSet()).map { "+$it" }
        assertTrue(dump.readText() == now) {
            "the public API changed; if that is meant, write the dump anew (-Dapi=update), and a line in the changelog:\n" +
                changed.joinToString("\n")
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
            val place = Golden.root.resolve("android_bridge/$module/target/classes")
            assertTrue(place.isDirectory) { "$place is not there; run this test with -am" }
            place.walkTopDown().filter { it.extension == "class" }.toList()
        }
        val text = StringBuilder()
        AbiTools.getInstance().printJvmDump(text, classes.sorted(), AbiFilters.EMPTY)
        return text.toString().trimEnd() + "\n"
    }
}
