package io.handlens.task

import io.handlens.image.RgbImage
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

// A run of a model cannot be stopped in the middle: each call here is cancelled before it begins, or when it ends.

/** [FaceDetector.detect] on a [dispatcher]; cancelled between frames. */
public suspend fun FaceDetector.detectAsync(
    image: RgbImage,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): List<Face> = withContext(dispatcher) { detect(image) }

/** [FaceDetector.detect] into a buffer on a [dispatcher]; cancelled between frames. */
public suspend fun FaceDetector.detectAsync(
    image: RgbImage,
    into: FaceBuffer,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): Int = withContext(dispatcher) { detect(image, into) }

/** [FaceVerifier.embed] on a [dispatcher]; cancelled between faces. */
public suspend fun FaceVerifier.embedAsync(
    image: RgbImage,
    face: Face,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): FloatArray = withContext(dispatcher) { embed(image, face) }

/** [PersonReidentifier.embed] on a [dispatcher]; cancelled between images. */
public suspend fun PersonReidentifier.embedAsync(
    image: RgbImage,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): FloatArray = withContext(dispatcher) { embed(image) }

/** [AttributeClassifier.classify] on a [dispatcher]; cancelled between crops. */
public suspend fun AttributeClassifier.classifyAsync(
    crop: RgbImage,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): Attributes = withContext(dispatcher) { classify(crop) }

/** [GenderClassifier.classify] on a [dispatcher]; cancelled between crops. */
public suspend fun GenderClassifier.classifyAsync(
    crop: RgbImage,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): Gender = withContext(dispatcher) { classify(crop) }

/** [Segmenter.segment] on a [dispatcher]; cancelled between images. */
public suspend fun Segmenter.segmentAsync(
    image: RgbImage,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): Segmentation = withContext(dispatcher) { segment(image) }

/** [Segmenter.segment] into a buffer on a [dispatcher]; cancelled between frames. */
public suspend fun Segmenter.segmentAsync(
    image: RgbImage,
    into: SegmentationBuffer,
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
): Unit = withContext(dispatcher) { segment(image, into) }

/**
 * Answers the newest frame: while [answer] works on one, later frames replace each other, and the last of them is next.
 *
 * The frames are collected in the collector's context, one at a time; [answer] runs on [dispatcher]. Every frame ends
 * up in exactly one of [answer] and [dropped], on cancellation too, so that a camera's buffers can be given back:
 *
 *     frames.newestFrame(dropped = { it.close() }) { frame -> frame.use { detector.detect(it.toRgb()) } }
 *
 * @param dispatcher where [answer] runs, such as one with a thread of its own.
 * @param dropped is told of each frame that is never answered.
 * @param answer works on a frame.
 */
public fun <F : Any, R> Flow<F>.newestFrame(
    dispatcher: CoroutineDispatcher = Dispatchers.Default,
    dropped: (F) -> Unit = {},
    answer: (F) -> R,
): Flow<R> = flow {
    coroutineScope {
        val newest = Channel<F>(capacity = 1, BufferOverflow.DROP_OLDEST, onUndeliveredElement = dropped)
        val source = launch {
            var failure: Throwable? = null
            try {
                collect(newest::send)
            } catch (error: Throwable) {
                failure = error
                throw error
            } finally {
                newest.close(failure)
            }
        }
        try {
            for (frame in newest) {
                var taken = false
                val result = try {
                    withContext(dispatcher) {
                        taken = true
                        answer(frame)
                    }
                } finally {
                    if (!taken) dropped(frame)
                }
                emit(result)
            }
        } finally {
            source.cancel()
            newest.cancel()
        }
    }
}
