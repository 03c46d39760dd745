package io.handlens.door

/**
 * What can be measured of one face before it is embedded. Each measure is taken on the face brought upright by its five
 * points, so none depends on how a detector draws its box. The same as Python's `handlens.gates.Measures`.
 *
 * @property eyes pixels of the image between the eyes, as they would be if the face were not turned: from the scale of the
 *   alignment, which rests on all five points.
 * @property inside share of the face's ellipse that lies in the image, 0..1.
 * @property yaw 0 from the front; where the nose tip is between the eyes, along their line: -1 and 1 are below an eye.
 * @property pitch where the nose tip is between the line of the eyes (0) and that of the mouth's corners (1).
 * @property roll degrees by which the eyes' line is tilted, clockwise.
 * @property highlights 99th percentile of luma, 0..255: how bright the brightest parts are.
 * @property clipped share of pixels of luma 247 and more, 0..1.
 * @property sharpness variance of the second difference of luma over the variance of luma, of four directions the least.
 *   The variance of the Laplacian (Pech-Pacheco et al. 2000) adds up two directions instead, and misses most motion.
 */
public data class Measures(
    public val eyes: Double,
    public val inside: Double,
    public val yaw: Double,
    public val pitch: Double,
    public val roll: Double,
    public val highlights: Double,
    public val clipped: Double,
    public val sharpness: Double,
)
