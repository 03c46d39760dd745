package io.handlens.artifact

/** Why a model's bytes are refused before an engine sees them. */
internal open class Malformed(message: String) : Exception(message)

/** Something points beyond the end of the bytes: the model was cut short (or an offset was changed). */
internal class CutShort(message: String) : Malformed(message)

/** Which kind of model some bytes are, and whether they are fit for an engine at all: some trust their input. */
internal object ModelCheck {
    /** The kind that the bytes claim to be: TFLite by its identifier, else ONNX, which has none. */
    fun kindOf(data: Bytes): ModelKind =
        if (data.startsWith(TfliteCheck.IDENTIFIER, 4)) ModelKind.TFLITE else ModelKind.ONNX

    /** @throws Malformed the model is not complete and self-contained. */
    fun check(model: Bytes, kind: ModelKind) {
        when (kind) {
            ModelKind.TFLITE -> TfliteCheck(model).check()
            ModelKind.ONNX -> OnnxCheck(model).check()
        }
    }
}
