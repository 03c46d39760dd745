package io.handlens.artifact

import io.handlens.ManifestInvalid
import io.handlens.SchemaTooNew

/** The kind of a model part. */
public enum class ModelKind(internal val key: String) {
    /** A TensorFlow Lite FlatBuffer. */
    TFLITE("tflite"),

    /** An ONNX protobuf. */
    ONNX("onnx"),
}

/**
 * What an artifact says about itself; a user never passes mean, std or a threshold.
 *
 * @property task such as `reid`; decides who can load the artifact.
 * @property name of the model.
 * @property version of the model.
 * @property input the one input.
 * @property outputs by name; at least one.
 * @property compression how it was made small.
 * @property provenance data, licence, versions.
 * @property modelId first 32 hex digits of the SHA-256 of the model part; galleries are bound to it.
 * @property labels class names, in the order of the output they name.
 * @property decoding what else a task needs to read the outputs (strides, anchors, ...).
 * @property thresholds one for each target false match rate.
 * @property metrics measured for this file.
 * @property parity of the conversion, where it was measured.
 * @property schema version of the format.
 * @throws SchemaTooNew the schema is newer than this handlens.
 * @throws ManifestInvalid a field breaks a rule.
 */
public data class Manifest(
    public val task: String,
    public val name: String,
    public val version: String,
    public val input: InputSpec,
    public val outputs: List<OutputSpec>,
    public val compression: Compression,
    public val provenance: Provenance,
    public val modelId: String = "",
    public val labels: List<String> = emptyList(),
    public val decoding: JsonObject = JsonObject.EMPTY,
    public val thresholds: List<Threshold> = emptyList(),
    public val metrics: List<Metric> = emptyList(),
    public val parity: Parity? = null,
    public val schema: Int = SCHEMA,
) {
    init {
        if (schema < 1) throw ManifestInvalid("Manifest.schema is $schema; expected $SCHEMA")
        if (schema > SCHEMA) throw SchemaTooNew(tooNew(schema.toString()))
        requireName(task, "Manifest.task")
        requireName(name, "Manifest.name")
        requireName(version, "Manifest.version")
        if (modelId.isNotEmpty() && !isHex(modelId, 32)) {
            throw ManifestInvalid("Manifest.model_id is '${modelId.take(80)}'; expected 32 hex digits")
        }
        val names = outputs.map { it.name }
        if (names.isEmpty() || names.toSet().size != names.size) {
            throw ManifestInvalid("Manifest.outputs are $names; expected at least one, each with its own name")
        }
    }

    /** The output of a name; null where there is none. */
    public fun output(name: String): OutputSpec? = outputs.firstOrNull { it.name == name }

    public companion object {
        /** The newest version of the format that is read here. */
        public const val SCHEMA: Int = 1

        /**
         * Reads a manifest.
         *
         * @param text the content of `manifest.json`.
         * @throws SchemaTooNew it was written by a newer handlens.
         * @throws ManifestInvalid it is not JSON, has unknown or missing keys, or a field breaks a rule.
         */
        public fun parse(text: String): Manifest = ManifestReader.read(text)

        internal fun tooNew(schema: String): String =
            "the manifest has schema $schema; this handlens reads up to $SCHEMA; update the handlens library of the app"
    }
}

internal fun isHex(text: String, length: Int): Boolean =
    text.length == length && text.all { it in '0'..'9' || it in 'a'..'f' }
