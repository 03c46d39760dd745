package io.handlens.testing

import java.io.File

/**
 * Counts replayed golden vectors, a file for each stage, so that the build can say how many there were and how far
 * the worst was off. One line a call: `count largestDifference`.
 */
public object VectorLog {
    private val folder = System.getProperty("handlens.vectors")?.let(::File)

    /**
     * Records that [count] vectors of [stage] were replayed; [largestDifference] is the worst distance to Python's
     * answer, in the stage's own unit (levels, pixels, score).
     */
    @Synchronized
    public fun record(stage: String, count: Int, largestDifference: Double) {
        require(count > 0) { "$stage: no vector was replayed" }
        val into = folder ?: return
        into.mkdirs()
        into.resolve("$stage.txt").appendText("$count $largestDifference\n")
    }
}
