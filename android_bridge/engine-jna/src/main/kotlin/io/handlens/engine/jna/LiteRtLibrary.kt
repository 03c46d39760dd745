package io.handlens.engine.jna

import com.sun.jna.NativeLibrary
import io.handlens.EngineUnavailable
import java.io.File

/**
 * Finds and loads LiteRT's shared library, once in a process.
 *
 * The PyPI wheel `ai-edge-litert` carries it; its place is the system property `handlens.litert`, or the environment
 * variable `HANDLENS_LITERT`: the file, or the folder that holds it.
 */
internal object LiteRtLibrary {
    private const val PROPERTY = "handlens.litert"
    private const val VARIABLE = "HANDLENS_LITERT"
    private val FILES = listOf("libLiteRt.so", "libLiteRt.dylib", "LiteRt.dll")
    private const val NEXT_STEP =
        "set the system property $PROPERTY or the environment variable $VARIABLE to the libLiteRt of the Python " +
            "package ai-edge-litert, or to its folder, which this prints: " +
            "python -c \"import ai_edge_litert; print(*ai_edge_litert.__path__)\""

    private val found: File by lazy {
        locate(System.getProperty(PROPERTY)?.takeIf { it.isNotBlank() } ?: System.getenv(VARIABLE))
    }

    /** Of the wheel that the library lies in; "unknown" elsewhere. */
    val version: String by lazy { versionBeside(found) }

    private val bound: Unit by lazy { bind(found) }

    /**
     * Loads the library unless it is loaded.
     *
     * @throws EngineUnavailable it is not where the settings say, or is not LiteRT's.
     */
    fun load(): Unit = bound

    /**
     * The library's file at [place].
     *
     * @throws EngineUnavailable there is none, or no place was set.
     */
    fun locate(place: String?): File {
        if (place.isNullOrBlank()) throw EngineUnavailable("litert has no library to load; $NEXT_STEP")
        val file = File(place)
        return (FILES.map(file::resolve) + file).firstOrNull { it.isFile }
            ?: throw EngineUnavailable("litert's library is not at $place; $NEXT_STEP")
    }

    private fun bind(file: File) {
        try {
            LiteRtApi.bind(NativeLibrary.getInstance(file.absolutePath))
        } catch (error: UnsatisfiedLinkError) {
            throw EngineUnavailable("$file cannot be loaded: ${error.message?.lineSequence()?.first()}; $NEXT_STEP")
        }
    }

    private fun versionBeside(library: File): String {
        val packages = library.absoluteFile.parentFile?.parentFile?.list().orEmpty()
        val pattern = Regex("ai_edge_litert-(.+)\\.dist-info")
        return packages.firstNotNullOfOrNull { pattern.matchEntire(it)?.groupValues?.get(1) } ?: "unknown"
    }
}
