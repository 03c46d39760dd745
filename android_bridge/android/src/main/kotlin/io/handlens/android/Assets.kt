package io.handlens.android

import android.content.Context
import io.handlens.ArtifactError
import io.handlens.NotAnArtifact
import io.handlens.artifact.Artifact
import java.io.FileInputStream
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel

/** The artifacts that `handlens android build` put into the app. */
public object Assets {
    /** Their folder among the app's assets. */
    public const val FOLDER: String = "handlens"

    /** The names of the artifacts in the app, sorted. */
    @JvmStatic
    public fun names(context: Context): List<String> =
        context.assets.list(FOLDER).orEmpty().filter { it.endsWith(".tflite") || it.endsWith(".onnx") }.sorted()

    /**
     * Opens an artifact of the app, and verifies it. It is memory-mapped where it lies uncompressed in the APK (Gradle's
     * `noCompress`, docs/android.md), else copied into memory.
     *
     * @param name such as `face-detector.tflite`.
     * @throws ArtifactError there is none of the name, or it was damaged.
     */
    @JvmStatic
    public fun open(context: Context, name: String): Artifact {
        val path = "$FOLDER/$name"
        mapped(context, path)?.let { return Artifact.open(it, name) }
        val bytes = try {
            context.assets.open(path).use { it.readBytes() }
        } catch (error: IOException) {
            throw NotAnArtifact(
                "the app has no asset $path (${error.message}); it has: ${names(context).joinToString().ifEmpty { "none" }}; " +
                    "build the archive with: handlens android build --artifact FILE",
                error,
            )
        }
        return Artifact.open(bytes, name)
    }

    /** The asset, mapped; null where it is compressed, or not there. */
    private fun mapped(context: Context, path: String): ByteBuffer? = try {
        context.assets.openFd(path).use { asset ->
            FileInputStream(asset.fileDescriptor).channel.use {
                it.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
            }
        }
    } catch (_: IOException) {
        null
    }
}
