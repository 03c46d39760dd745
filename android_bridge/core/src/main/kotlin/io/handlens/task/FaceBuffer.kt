package io.handlens.task

/**
 * Faces in arrays that a frame loop fills anew for each frame, so that it allocates nothing. Not thread-safe.
 *
 * Coordinates are pixels of the upright image; the best score comes first.
 *
 * @property capacity the most faces it holds; of more, the best stay.
 * @throws IllegalArgumentException a capacity below 1.
 */
public class FaceBuffer(public val capacity: Int = DetectorOptions.MAX_FACES) {
    init {
        require(capacity > 0) { "the capacity is $capacity; expected 1 or more" }
    }

    /** How many faces there are. */
    public var size: Int = 0
        internal set

    /** Whether the model gives five points. */
    public var hasPoints: Boolean = false
        internal set

    /** Whether the model tells gender. */
    public var hasGender: Boolean = false
        internal set

    /** x1, y1, x2, y2 of each face; valid up to `4 * size`. */
    public val boxes: DoubleArray = DoubleArray(BOX * capacity)

    /** Of each face, 0..1; valid up to [size]. */
    public val scores: DoubleArray = DoubleArray(capacity)

    /** x and y of five points of each face, in the order of [Face.points]; valid up to `10 * size` if [hasPoints]. */
    public val points: DoubleArray = DoubleArray(POINTS * capacity)

    /** The logit of female of each face; valid up to [size] if [hasGender]. */
    public val genderLogits: DoubleArray = DoubleArray(capacity)

    /**
     * A face, as a value of its own.
     *
     * @param index 0 until [size].
     * @throws IndexOutOfBoundsException there is no such face.
     */
    public operator fun get(index: Int): Face {
        if (index !in 0 until size) throw IndexOutOfBoundsException("face $index of $size")
        val box = BOX * index
        val first = POINTS * index
        return Face(
            Box(boxes[box], boxes[box + 1], boxes[box + 2], boxes[box + 3]),
            scores[index],
            if (hasPoints) List(POINTS / 2) { Point(points[first + 2 * it], points[first + 2 * it + 1]) } else null,
            if (hasGender) Gender.ofLogit(genderLogits[index]) else null,
        )
    }

    /** All faces, as values of their own. */
    public fun toList(): List<Face> = List(size, ::get)

    internal companion object {
        const val BOX: Int = 4
        const val POINTS: Int = 10
    }
}
