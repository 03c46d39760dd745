package io.handlens.artifact

import io.handlens.ManifestInvalid
import io.handlens.SchemaTooNew

/** From `manifest.json` to a [Manifest]; the keys are those of docs/artifact-format.md. */
internal object ManifestReader {
    private const val REQUIRED = "task name version input outputs compression provenance"
    private const val OPTIONAL = "schema model_id labels decoding thresholds metrics parity"

    fun read(text: String): Manifest {
        val data = Json.parse(text, "the manifest")
        if (data !is JsonObject) throw ManifestInvalid("the manifest is no object")
        val schema = schema(data["schema"] ?: throw ManifestInvalid("the manifest lacks schema"))
        val fields = Fields(data, "manifest", REQUIRED, OPTIONAL)
        return Manifest(
            task = fields.text("task"),
            name = fields.text("name"),
            version = fields.text("version"),
            modelId = fields.text("model_id", ""),
            input = input(Fields(fields.value("input"), fields.place("input"), INPUT, INPUT_OPTIONAL)),
            outputs = fields.list("outputs") { item, place -> output(Fields(item, place, OUTPUT, OUTPUT_OPTIONAL)) },
            labels = fields.list("labels", Fields::text),
            decoding = if ("decoding" in fields) decoding(fields.value("decoding")) else JsonObject.EMPTY,
            thresholds = fields.list("thresholds", ::threshold),
            metrics = fields.list("metrics", ::metric),
            compression = compression(fields.value("compression"), fields.place("compression")),
            provenance = provenance(fields.value("provenance"), fields.place("provenance")),
            parity = fields.optional("parity") { parity(it, fields.place("parity")) },
            schema = schema,
        )
    }

    /** Looked at before anything else: a newer schema's unknown keys are no mistake. */
    private fun schema(value: JsonValue): Int {
        val number = value as? JsonNumber
        if (number == null || !number.isWhole || number.value < 1) {
            throw ManifestInvalid("Manifest.schema is not a whole number above 0; expected ${Manifest.SCHEMA}")
        }
        if (number.value > Manifest.SCHEMA) throw SchemaTooNew(Manifest.tooNew("${number.whole ?: number.value}"))
        return Manifest.SCHEMA
    }

    private const val INPUT = "name height width channels scale offset"
    private const val INPUT_OPTIONAL = "dtype layout colour geometry template quant_scale quant_zero_point"

    private fun input(fields: Fields): InputSpec = InputSpec(
        name = fields.text("name"),
        height = fields.int("height"),
        width = fields.int("width"),
        channels = channels(fields.value("channels"), fields.place("channels")),
        scale = fields.numbers("scale"),
        offset = fields.numbers("offset"),
        dtype = fields.choice("dtype", Dtype.entries, Dtype::key, Dtype.FLOAT32),
        layout = fields.choice("layout", Layout.entries, Layout::key, Layout.NHWC),
        colour = fields.choice("colour", Colour.entries, Colour::key, Colour.RGB),
        fit = fields.choice("geometry", Fit.entries, Fit::key, Fit.RESIZE),
        template = fields.numbers("template"),
        quantScale = fields.numberOrNull("quant_scale"),
        quantZeroPoint = fields.intOrNull("quant_zero_point"),
    )

    private fun channels(value: JsonValue, where: String): Int = when ((value as? JsonNumber)?.value) {
        1.0 -> 1
        3.0 -> 3
        else -> throw ManifestInvalid("$where is not one of the valid ones: 1, 3")
    }

    private const val OUTPUT = "name meaning shape tolerance"
    private const val OUTPUT_OPTIONAL = "dtype quant_scale quant_zero_point"

    private fun output(fields: Fields): OutputSpec = OutputSpec(
        name = fields.text("name"),
        meaning = fields.text("meaning"),
        shape = fields.list("shape") { item, place -> Fields.clip(Fields.whole(item, place)) },
        tolerance = Fields(fields.value("tolerance"), fields.place("tolerance"), "absolute relative")
            .let { Tolerance(it.number("absolute"), it.number("relative")) },
        dtype = fields.choice("dtype", Dtype.entries, Dtype::key, Dtype.FLOAT32),
        quantScale = fields.numberOrNull("quant_scale"),
        quantZeroPoint = fields.intOrNull("quant_zero_point"),
    )

    private fun decoding(value: JsonValue): JsonObject {
        Fields.map(value, "manifest.decoding") { item, place -> Fields.checkPlain(item, place, 0) }
        return value as JsonObject
    }

    private fun threshold(value: JsonValue, where: String): Threshold =
        Fields(value, where, "target_fmr value comparisons low high").run {
            Threshold(number("target_fmr"), number("value"), whole("comparisons"), number("low"), number("high"))
        }

    private fun metric(value: JsonValue, where: String): Metric =
        Fields(value, where, "dataset split name n value low high", "unit").run {
            Metric(
                dataset = text("dataset"),
                split = text("split"),
                name = text("name"),
                n = whole("n"),
                value = number("value"),
                low = number("low"),
                high = number("high"),
                unit = text("unit", "fraction"),
            )
        }

    private fun compression(value: JsonValue, where: String): Compression =
        Fields(value, where, "recipe format weights activations parameters sparsity", "calibration notes").run {
            Compression(
                recipe = text("recipe"),
                format = choice("format", ModelKind.entries, ModelKind::key),
                weights = text("weights"),
                activations = text("activations"),
                parameters = whole("parameters"),
                sparsity = number("sparsity"),
                calibration = optional("calibration") { calibration(it, place("calibration")) },
                notes = text("notes", ""),
            )
        }

    private fun calibration(value: JsonValue, where: String): Calibration =
        Fields(value, where, "dataset split count seed images_sha256 ranges_sha256").run {
            Calibration(
                dataset = text("dataset"),
                split = text("split"),
                count = whole("count"),
                seed = whole("seed"),
                imagesSha256 = text("images_sha256"),
                rangesSha256 = text("ranges_sha256"),
            )
        }

    private fun provenance(value: JsonValue, where: String): Provenance =
        Fields(value, where, "data weights_licence seed run trained_seconds", "versions source").run {
            Provenance(
                data = list("data", ::source),
                weightsLicence = text("weights_licence"),
                seed = whole("seed"),
                run = text("run"),
                trainedSeconds = number("trained_seconds"),
                versions = if ("versions" in this) {
                    Fields.map(value("versions"), place("versions"), Fields::text)
                } else {
                    emptyMap()
                },
                source = text("source", ""),
            )
        }

    private fun source(value: JsonValue, where: String): DataSource =
        Fields(value, where, "name licence split sha256").run {
            DataSource(text("name"), text("licence"), text("split"), text("sha256"))
        }

    private fun parity(value: JsonValue, where: String): Parity =
        Fields(value, where, "max_abs_error tolerance").run { Parity(number("max_abs_error"), number("tolerance")) }
}
