package io.handlens.testing

import java.io.File

/** The files that every language of this house replays. */
public object Golden {
    /** The repository's root: the system property `handlens.root`, which the build sets. */
    public val root: File = File(
        checkNotNull(System.getProperty("handlens.root")) { "handlens.root is not set; run the tests with Maven" },
    ).canonicalFile

    /** A file of tests/golden, such as `align.json` or `models/tiny_int8.tflite`. */
    public fun file(name: String): File = existing(root.resolve("tests/golden").resolve(name))

    /** An artifact that the zoo ships, such as `face-detector.tflite`. */
    public fun zoo(name: String): File = existing(root.resolve("zoo/handlens_zoo/artifacts").resolve(name))

    private fun existing(file: File): File = file.also { require(it.isFile) { "$it is not there" } }
}
