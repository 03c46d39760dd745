package io.handlens.artifact

import io.handlens.ArtifactTampered
import io.handlens.ArtifactTooLarge
import io.handlens.ArtifactTruncated
import io.handlens.GoldenInvalid
import io.handlens.InputError
import io.handlens.ManifestInvalid
import io.handlens.NotAnArtifact
import io.handlens.SchemaTooNew
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * A verified artifact: a model with its manifest, golden vectors and extras. Immutable; safe to share between threads.
 *
 * @property name for messages, such as the asset's name.
 * @property kind of the model part.
 * @property manifest what the file says about itself.
 * @property goldens what the model must answer; empty only for a plain model that a manifest was brought along for.
 * @property sha256 of every byte before the closing comment (for a plain model: of all of it), 64 hex digits.
 * @property size of the whole file, in bytes.
 * @property extraNames names of the other small parts, such as `titles.json`.
 */
public class Artifact internal constructor(
    public val name: String,
    public val kind: ModelKind,
    public val manifest: Manifest,
    public val goldens: List<Golden>,
    public val sha256: String,
    public val size: Int,
    private val extras: Map<String, ByteArray>,
    private val bytes: ByteBuffer,
) {
    /** The model part, as the converter wrote it: a new direct, read-only view in native byte order, position 0. */
    public val model: ByteBuffer
        get() = bytes.asReadOnlyBuffer().order(ByteOrder.nativeOrder())

    public val extraNames: Set<String> get() = extras.keys

    /** A copy of another small part, such as `titles.json`; null where there is none of the name. */
    public fun extra(name: String): ByteArray? = extras[name]?.copyOf()

    public companion object {
        /** The most bytes that are read unless the caller says otherwise: 256 MiB. */
        public const val MAX_BYTES: Int = 256 shl 20

        /**
         * Verifies an artifact: size, hash, structure, manifest, goldens; only then is it safe to run.
         *
         * @param bytes from its position to its limit the whole file, such as a mapped asset. A direct buffer is not
         *     copied and must not change as long as the artifact is used; another is.
         * @param name for messages.
         * @param maxBytes refuse more bytes than these.
         * @throws NotAnArtifact there is no handlens ZIP in it.
         * @throws ArtifactTooLarge more than [maxBytes].
         * @throws ArtifactTruncated it ends early.
         * @throws ArtifactTampered a byte differs from what was written, or a part does not belong.
         * @throws SchemaTooNew written by a newer handlens.
         * @throws ManifestInvalid the manifest breaks a rule or does not belong to this model.
         * @throws GoldenInvalid the golden vectors are damaged.
         */
        @JvmStatic
        @JvmOverloads
        public fun open(bytes: ByteBuffer, name: String = "the artifact", maxBytes: Int = MAX_BYTES): Artifact =
            ArtifactReader.read(bytes, name, maxBytes)

        /** As [open] of a buffer; the model part is copied. */
        @JvmStatic
        @JvmOverloads
        public fun open(bytes: ByteArray, name: String = "the artifact", maxBytes: Int = MAX_BYTES): Artifact =
            open(ByteBuffer.wrap(bytes), name, maxBytes)

        /**
         * Takes a plain model, without a handlens ZIP, and a manifest that says what it is; it has no goldens.
         *
         * @param model a whole `.tflite` or `.onnx`; a direct buffer is not copied.
         * @param manifest its [Manifest.modelId] is filled in here.
         * @throws InputError the model has a manifest of its own.
         * @throws NotAnArtifact the bytes are no complete model.
         * @throws ManifestInvalid the manifest names another format.
         */
        @JvmStatic
        @JvmOverloads
        public fun bring(model: ByteBuffer, manifest: Manifest, name: String = "the model"): Artifact =
            ArtifactReader.bring(model, manifest, name)
    }
}
