package io.handlens.door

import io.handlens.artifact.Json
import io.handlens.artifact.JsonArray
import io.handlens.artifact.JsonNumber
import io.handlens.artifact.JsonObject
import io.handlens.artifact.JsonText
import io.handlens.artifact.JsonValue
import io.handlens.testing.Golden
import kotlin.io.encoding.Base64

/** Short ways through a golden file. */
internal fun golden(name: String): JsonValue = Json.parse(Golden.file(name).readText(), name)

internal operator fun JsonValue?.get(key: String): JsonValue? = (this as JsonObject).entries[key]

internal val JsonValue?.list: List<JsonValue> get() = (this as JsonArray).items
internal val JsonValue?.text: String get() = (this as JsonText).value
internal val JsonValue?.number: Double get() = (this as JsonNumber).value
internal val JsonValue?.int: Int get() = number.toInt()
internal val JsonValue?.bytes: ByteArray get() = Base64.Default.decode(text)
internal val JsonValue?.texts: Map<String, String>
    get() = (this as JsonObject).entries.mapValues { it.value.text }
