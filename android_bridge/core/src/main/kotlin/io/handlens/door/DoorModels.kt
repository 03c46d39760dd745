package io.handlens.door

import io.handlens.RateUnsupported
import io.handlens.artifact.Threshold
import io.handlens.image.RgbImage
import io.handlens.task.Face
import io.handlens.task.FaceDetector
import io.handlens.task.FaceVerifier
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/**
 * A door with two loaded models, which it closes when it is closed.
 *
 * @param detector that gives five points.
 * @param clock on Android an `AndroidClock`.
 * @throws RateUnsupported the verifier's manifest does not carry the rate of [DoorOptions.fmr]; the models stay open.
 */
@JvmOverloads
public fun openDoor(
    detector: FaceDetector,
    verifier: FaceVerifier,
    store: Store,
    options: DoorOptions = DoorOptions(),
    clock: Clock = LinuxClock,
): Door = Door(LoadedDetector(detector), LoadedVerifier(verifier), store, options, clock)

/** [Door.enrol] on a [dispatcher]; cancelled before it begins, or when it ends. */
public suspend fun Door.enrolAsync(
    name: String,
    images: List<RgbImage>,
    replace: Boolean = false,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): Enrolment = withContext(dispatcher) { enrol(name, images, replace) }

/** [Door.verify] on a [dispatcher]; cancelled before it begins, or when it ends: then the attempt was counted. */
public suspend fun Door.verifyAsync(
    name: String,
    image: RgbImage,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): Decision = withContext(dispatcher) { verify(name, image) }

/** [Door.identify] on a [dispatcher]; cancelled before it begins, or when it ends: then the attempt was counted. */
public suspend fun Door.identifyAsync(
    image: RgbImage,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): Decision = withContext(dispatcher) { identify(image) }

/** [Door.examine] on a [dispatcher]; cancelled between frames. */
public suspend fun Door.examineAsync(
    image: RgbImage,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): Examination = withContext(dispatcher) { examine(image) }

private class LoadedDetector(private val model: FaceDetector) : FaceFinder {
    override fun detect(image: RgbImage): List<Face> = model.detect(image)

    override fun close() = model.close()
}

private class LoadedVerifier(private val model: FaceVerifier) : FaceEmbedder {
    override val modelId: String get() = model.modelId
    override val dimension: Int get() = model.dimension
    override val thresholds: List<Threshold> get() = model.manifest.thresholds

    override fun embed(image: RgbImage, face: Face): FloatArray = model.embed(image, face)

    override fun threshold(fmr: Double): Threshold = model.threshold(fmr)

    override fun close() = model.close()
}
