package io.handlens.door

import java.math.BigDecimal
import java.math.RoundingMode

/** A number with so many decimals, halves to even on its exact value: the same in any locale, and as Python writes it. */
internal fun decimals(value: Double, digits: Int): String {
    if (value.isNaN()) return "nan"
    if (value.isInfinite()) return if (value > 0) "inf" else "-inf"
    return BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).toPlainString()
}

/** A share as whole percents. */
internal fun percent(value: Double): String = decimals(value * 100, 0) + "%"
