package io.handlens.image

/**
 * From pixels of an image to pixels of the input: `x' = x * scaleX + left`, `y' = y * scaleY + top`.
 *
 * The two scales of a letterbox differ by the rounding of its inner size to whole pixels. (0, 0) is the outer corner of
 * the first pixel, here and there.
 *
 * @property scaleX pixels of the input for one of the image, along x.
 * @property scaleY the same along y.
 * @property left where the image's left edge comes to lie, in pixels of the input.
 * @property top where its upper edge does.
 */
public data class Geometry(
    public val scaleX: Double,
    public val scaleY: Double,
    public val left: Double,
    public val top: Double,
) {
    /** The x in the input of an x in the image. */
    public fun forwardX(x: Double): Double = x * scaleX + left

    /** The y in the input of a y in the image. */
    public fun forwardY(y: Double): Double = y * scaleY + top

    /** The x in the image of an x in the input; may lie outside of the image. */
    public fun inverseX(x: Double): Double = (x - left) / scaleX

    /** The y in the image of a y in the input; may lie outside of the image. */
    public fun inverseY(y: Double): Double = (y - top) / scaleY

    public companion object {
        /** Nothing moves. */
        @JvmField
        public val IDENTITY: Geometry = Geometry(1.0, 1.0, 0.0, 0.0)
    }
}

/**
 * Whole pixels of an image.
 *
 * @property left the first column.
 * @property top the first row.
 * @property width columns.
 * @property height rows.
 */
public data class Region(public val left: Int, public val top: Int, public val width: Int, public val height: Int)

/** Where an image goes: fitting one rectangle into another, in integers. */
public object Fitting {
    /**
     * The rectangle of an input that a letterboxed image takes; halves round up, odd borders end larger.
     *
     * @param height of the image.
     * @param width of the image.
     * @param intoHeight of the input.
     * @param intoWidth of the input.
     */
    @JvmStatic
    public fun inside(height: Int, width: Int, intoHeight: Int, intoWidth: Int): Region {
        val rows: Int
        val columns: Int
        if (intoHeight.toLong() * width <= intoWidth.toLong() * height) {
            rows = intoHeight
            columns = maxOf(1, divide(width.toLong() * intoHeight, height))
        } else {
            rows = maxOf(1, divide(height.toLong() * intoWidth, width))
            columns = intoWidth
        }
        return Region((intoWidth - columns) / 2, (intoHeight - rows) / 2, columns, rows)
    }

    /**
     * The largest centred rectangle of an image that has another size's aspect; sizes round half up.
     *
     * @param height of the image.
     * @param width of the image.
     * @param likeHeight of the size.
     * @param likeWidth of the size.
     */
    @JvmStatic
    public fun centre(height: Int, width: Int, likeHeight: Int, likeWidth: Int): Region {
        val rows: Int
        val columns: Int
        if (likeWidth.toLong() * height <= likeHeight.toLong() * width) {
            rows = height
            columns = maxOf(1, divide(height.toLong() * likeWidth, likeHeight))
        } else {
            rows = maxOf(1, divide(width.toLong() * likeHeight, likeWidth))
            columns = width
        }
        return Region((width - columns) / 2, (height - rows) / 2, columns, rows)
    }

    private fun divide(numerator: Long, denominator: Int): Int =
        ((2 * numerator + denominator) / (2L * denominator)).toInt()
}
