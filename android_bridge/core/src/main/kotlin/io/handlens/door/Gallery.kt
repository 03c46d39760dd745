package io.handlens.door

import io.handlens.GalleryInvalid
import io.handlens.GalleryMismatch
import io.handlens.InputError
import io.handlens.OptionError
import java.io.File
import java.io.IOException
import kotlin.math.min
import kotlin.math.sqrt

/**
 * One gallery template that resembles a probe.
 *
 * @property name it was added under.
 * @property score cosine similarity, -1..1; higher is more alike.
 */
public data class Match(public val name: String, public val score: Float)

/**
 * Named templates of one model: add, search one against all, save as one file bound to the model that made them. A name
 * may have several templates; each is searched on its own. Not thread-safe. The file is Python's `handlens.gallery`'s,
 * byte for byte; it is not encrypted (people at a door are kept by [Door], encrypted).
 *
 * @property modelId of the model that makes the templates.
 * @property dimension numbers in a template.
 * @throws OptionError the model id is empty, or the dimension below 1.
 */
public class Gallery(public val modelId: String, public val dimension: Int) {
    private val kept = ArrayList<String>()
    private val rows = ArrayList<FloatArray>()

    init {
        if (modelId.isEmpty() || dimension < 1) {
            throw OptionError("modelId is '$modelId', dimension is $dimension; valid: an id, and 1 or more")
        }
    }

    /** Number of templates. */
    public val size: Int get() = rows.size

    /** The name of each template, in the order they were added. */
    public val names: List<String> get() = kept.toList()

    /** A copy of a template, of length 1. */
    public fun template(index: Int): FloatArray = rows[index].copyOf()

    /**
     * Adds a template.
     *
     * @param name not empty.
     * @param template of [dimension] numbers; normalised here to length 1, and not kept.
     * @throws InputError the name is empty, or the template of another size, zero, or not finite.
     */
    public fun add(name: String, template: FloatArray) {
        if (name.isEmpty()) throw InputError("the name is empty; give each template a name")
        rows.add(normalised(template))
        kept.add(name)
    }

    /**
     * Finds the most similar templates of the whole gallery; exact.
     *
     * @param template of [dimension] numbers.
     * @param topK matches wanted; a smaller gallery gives all it has.
     * @return best first; equal scores in the order they were added.
     * @throws OptionError [topK] is below 1.
     * @throws InputError the template is of another size, zero, or not finite.
     */
    @JvmOverloads
    public fun search(template: FloatArray, topK: Int = 5): List<Match> {
        if (topK < 1) throw OptionError("topK is $topK; valid: 1 or more")
        val probe = normalised(template)
        val scores = FloatArray(rows.size) { dot(rows[it], probe).toFloat() }
        return rows.indices.sortedByDescending { scores[it] }.take(min(topK, rows.size)).map {
            Match(kept[it], scores[it])
        }
    }

    /** The gallery as the bytes of a file; [decode] reads them. */
    public fun encode(): ByteArray = GalleryFile.write(modelId, dimension, kept, rows)

    /**
     * Writes the gallery to a file, atomically. Its closing hash notices damage; that is no protection against somebody who
     * rewrites the file on purpose.
     *
     * @throws IOException the folder cannot be written.
     */
    public fun save(file: File): Unit = writeWhole(file, encode())

    private fun normalised(template: FloatArray): FloatArray {
        if (template.size != dimension) {
            throw InputError("a template has ${template.size} numbers; expected $dimension, as the model embeds")
        }
        val length = sqrt(template.sumOf { it.toDouble() * it }) // in double: squares of large floats would overflow
        if (!length.isFinite() || length == 0.0) {
            throw InputError("the template is zero or not finite; it cannot be compared")
        }
        return FloatArray(dimension) { (template[it] / length).toFloat() }
    }

    public companion object {
        /**
         * Reads a gallery, and refuses one of another model: templates of two models cannot be compared.
         *
         * @param data as [encode] or Python's `Gallery.save` wrote it.
         * @param modelId of the model that will make the probes.
         * @param name of the file, for messages.
         * @throws GalleryInvalid not a gallery, cut short, or changed since it was written.
         * @throws GalleryMismatch made by another model.
         */
        @JvmStatic
        @JvmOverloads
        public fun decode(data: ByteArray, modelId: String, name: String = "the gallery"): Gallery {
            val parts = GalleryFile.read(data, name)
            if (parts.modelId != modelId) {
                throw GalleryMismatch(
                    "$name: made by the model ${parts.modelId}, not by $modelId; load the artifact it was made with, or " +
                        "enrol the images again with this one",
                )
            }
            try {
                val gallery = Gallery(parts.modelId, parts.dimension)
                parts.names.forEachIndexed { index, person -> gallery.add(person, parts.templates[index]) }
                return gallery
            } catch (error: InputError) {
                throw GalleryInvalid("$name: ${error.message}")
            }
        }

        /**
         * Reads a gallery's file; see [decode].
         *
         * @throws GalleryInvalid no such file, not a gallery, cut short, or changed since it was written.
         * @throws GalleryMismatch made by another model.
         */
        @JvmStatic
        public fun load(file: File, modelId: String): Gallery {
            val data = try {
                file.readBytes()
            } catch (error: IOException) {
                throw GalleryInvalid("$file: the gallery cannot be read (${error.message})")
            }
            return decode(data, modelId, "$file")
        }
    }
}
