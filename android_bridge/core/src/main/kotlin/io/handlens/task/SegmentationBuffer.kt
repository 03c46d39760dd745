package io.handlens.task

import io.handlens.image.RgbImage

/**
 * A segmentation in arrays that a frame loop fills anew for each frame; it allocates only when the image's size
 * changes. Not thread-safe.
 */
public class SegmentationBuffer {
    internal var plane: RgbImage = RgbImage(ByteArray(1), 1, 1, channels = 1)
        private set
    internal var best: RgbImage = plane
        private set
    internal var confidenceOrNaN: Double = Double.NaN

    /** Of the image, in pixels. */
    public val width: Int get() = plane.width

    /** Of the image, in pixels. */
    public val height: Int get() = plane.height

    /** Probability of foreground * 255 as unsigned bytes, row by row; another array after a change of size. */
    public val alpha: ByteArray get() = plane.pixels

    /** The class of each pixel as an unsigned byte, row by row, 0 where [alpha] is below 128; null without classes. */
    public var labels: ByteArray? = null
        private set

    /** Of the values of [labels], the background first; empty where the model does not name them. */
    public var names: List<String> = emptyList()
        internal set

    /** Of the image as a whole; null where the model does not tell. */
    public var className: String? = null
        internal set

    /** In [className], 0..1; null where there is none. */
    public val confidence: Double? get() = if (className == null) null else confidenceOrNaN

    /** A copy, as a value of its own. */
    public fun toSegmentation(): Segmentation =
        Segmentation(width, height, alpha.copyOf(), labels?.copyOf(), names, className, confidence)

    internal fun fit(width: Int, height: Int, classes: Boolean) {
        if (width != this.width || height != this.height) {
            plane = RgbImage(ByteArray(width * height), width, height, channels = 1)
            labels = null
        }
        if (!classes) {
            labels = null
        } else if (labels?.size != width * height) {
            labels = ByteArray(width * height)
            best = RgbImage(ByteArray(width * height), width, height, channels = 1)
        }
    }
}
