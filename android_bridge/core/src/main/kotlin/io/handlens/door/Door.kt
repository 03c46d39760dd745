package io.handlens.door

import io.handlens.EngineError
import io.handlens.EnrolmentRefused
import io.handlens.FaceRefused
import io.handlens.InputError
import io.handlens.RateUnsupported
import io.handlens.Refused
import io.handlens.StoreError
import io.handlens.TooManyAttempts
import io.handlens.UnknownName
import io.handlens.artifact.Threshold
import io.handlens.image.RgbImage
import io.handlens.task.Face
import java.security.MessageDigest
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.Random
import java.util.TimeZone
import kotlin.math.sqrt

/**
 * The door: enrol a person from a few photographs, then verify a claimed name, or identify whoever stands there. It
 * decides as Python's `handlens.access.Door` does. Nothing here tells a living face from a photograph of one: read
 * docs/responsible-use.md.
 *
 * Calls are serialised, and take tens of milliseconds: on Android keep them off the main thread (or use
 * [verifyAsync] and its like).
 *
 * @property options how the door decides.
 * @throws RateUnsupported the verifier's manifest does not carry the rate that [verify] is to run at.
 */
public class Door @JvmOverloads constructor(
    private val detector: FaceFinder,
    private val verifier: FaceEmbedder,
    private val store: Store,
    public val options: DoorOptions = DoorOptions(),
    clock: Clock = LinuxClock,
) : AutoCloseable {
    private val gates = Gates(options.limits)
    private val attempts = Attempts(store, clock)
    private val vault = Vault(store, verifier.modelId, verifier.dimension)
    private val threshold = verifier.threshold(options.fmr)
    private val work = Any() // models and gates have work space of their own: one image at a time

    /** Who is enrolled with this model, sorted; for operators. */
    public fun names(): List<String> = store.locked { vault.read().keys.sorted() }

    /**
     * Asks every gate about an image; refuses, compares and counts nothing.
     *
     * @param image upright RGB.
     * @throws EngineError the engine failed.
     */
    public fun examine(image: RgbImage): Examination = synchronized(work) {
        val faces = detector.detect(image)
        Examination(faces, gates.judge(image, faces))
    }

    /**
     * Makes a template set from several photographs of one person.
     *
     * @param name 1 to 80 printable characters.
     * @param images upright RGB, of different moments.
     * @param replace whether a set under that name is replaced; its templates are deleted then.
     * @throws FaceRefused by a gate; the message says which image.
     * @throws EnrolmentRefused too few or too many images, two nearly the same, not one person, or the name is taken.
     * @throws InputError the name cannot be used.
     * @throws RateUnsupported the verifier's manifest carries no rate to compare the images at.
     * @throws StoreError the store must not be used.
     */
    @JvmOverloads
    public fun enrol(name: String, images: List<RgbImage>, replace: Boolean = false): Enrolment {
        val known = cleanName(name)
        Enrolling.checkCount(images.size, options.minImages, options.maxImages)
        store.locked { if (known in vault.read() && !replace) throw Vault.taken(known) } // `put` asks again
        val shots = images.mapIndexed { index, image -> shot(image, "image ${index + 1}") }
        Enrolling.checkAlike(shots.map { it.first })
        val templates = shots.map { it.second }
        Enrolling.checkConsistent(templates, verifier)
        val record = Record(known, templates, now())
        store.locked {
            vault.put(record, replace)
            attempts.succeed(known)
        }
        return Enrolment(known, templates.size, verifier.modelId)
    }

    /**
     * Compares whoever is in an image with a name. An unknown name takes the same steps and gives the same kind of decision
     * as a wrong face.
     *
     * @param name claimed.
     * @param image upright RGB, with exactly one face.
     * @param reveal for operators: an unknown name throws, after all the work.
     * @throws TooManyAttempts the name's attempts failed too often.
     * @throws FaceRefused by a gate; that is no attempt.
     * @throws UnknownName nobody is enrolled under the name, and [reveal] is on.
     * @throws InputError the name cannot be used.
     * @throws StoreError the store must not be used.
     */
    @JvmOverloads
    public fun verify(name: String, image: RgbImage, reveal: Boolean = false): Decision {
        val claimed = cleanName(name)
        store.locked { attempts.check(claimed) }
        val (face, probe) = probe(image)
        var known = false
        var score = 0.0
        var matched = false
        store.locked {
            attempts.begin(claimed)
            val records = vault.read()
            val nobody = nobody(claimed) // made for a known name as well: both take as long
            known = claimed in records
            score = similarity((records[claimed] ?: nobody).templates, probe)
            matched = known && score >= threshold.value
            if (matched) attempts.succeed(claimed)
        }
        if (reveal && !known) {
            throw UnknownName(
                "nobody is enrolled under the name '$claimed'",
                "check the spelling, or enrol the person",
            )
        }
        return decide(claimed, matched, score, threshold, face, NOT_ADMITTED)
    }

    /**
     * Looks for whoever is in an image among all who are enrolled. The threshold is that of the false match rate
     * `options.fpir` divided by the number of people enrolled.
     *
     * @param image upright RGB, with exactly one face.
     * @throws TooManyAttempts too many in a row were nobody.
     * @throws FaceRefused by a gate; that is no attempt.
     * @throws RateUnsupported so many are enrolled that the manifest carries no rate that is low enough.
     * @throws StoreError the store must not be used.
     */
    public fun identify(image: RgbImage): Decision {
        store.locked { attempts.check(ANYBODY, endless = true) }
        val (face, probe) = probe(image)
        var limit: Threshold? = null
        var scores = emptyList<Pair<Double, String>>()
        var above = emptyList<String>()
        store.locked {
            val records = vault.read()
            limit = if (records.isEmpty()) null else limitFor(records.size)
            attempts.begin(ANYBODY, endless = true)
            scores = records.values.map { similarity(it.templates, probe) to it.name }
                .sortedWith(compareByDescending<Pair<Double, String>> { it.first }.thenByDescending { it.second })
            above = limit?.let { needed -> scores.filter { it.first >= needed.value }.map { it.second } }.orEmpty()
            if (above.isNotEmpty()) attempts.succeed(ANYBODY)
        }
        val best = scores.firstOrNull()?.first
        if (above.size > 1) {
            val reason = "the face matches ${above.size} people enrolled, so a person decides"
            return decision(null, Outcome.PERSON, reason, best, limit, face)
        }
        return decide(above.firstOrNull(), above.isNotEmpty(), best, limit, face, NOBODY)
    }

    /**
     * Forgets a person: the templates of every model, and what they were encrypted with.
     *
     * @throws UnknownName nobody is enrolled under the name.
     * @throws StoreError the store must not be used.
     */
    public fun delete(name: String): Unit = forget(store, name, attempts)

    /** For operators: clears the failed attempts under a name. */
    public fun resetAttempts(name: String): Unit = cleanName(name).let { store.locked { attempts.succeed(it) } }

    /** Releases both models. Calling it again does nothing. */
    override fun close() {
        synchronized(work) {
            detector.close()
            verifier.close()
        }
    }

    private fun probe(image: RgbImage): Pair<Face, FloatArray> = synchronized(work) {
        val face = gates.require(image, detector.detect(image))
        face to verifier.embed(image, face)
    }

    /** An enrolment image's aligned crop and its template. */
    private fun shot(image: RgbImage, place: String): Pair<RgbImage, FloatArray> = synchronized(work) {
        val face = try {
            gates.require(image, detector.detect(image))
        } catch (refusal: Refused) {
            throw refusal.at(place)
        }
        gates.measurer.smallCrop(image, face.points.orEmpty()) to verifier.embed(image, face)
    }

    /** The threshold of the highest measured rate that is low enough for so many comparisons at once. */
    private fun limitFor(people: Int): Threshold {
        val wanted = options.fpir / people
        for (target in verifier.thresholds.map { it.targetFmr }.sortedDescending()) {
            if (target > wanted * (1 + 1e-9)) continue
            try {
                return verifier.threshold(target)
            } catch (_: RateUnsupported) {
                continue
            }
        }
        throw RateUnsupported(
            "$people people are enrolled, so an identification rate of ${options.fpir} needs a false match rate of " +
                "$wanted; the verifier's manifest carries none so low; verify a claimed name, or raise fpir",
        )
    }

    /** Templates that are nobody's, the same ones for a name each time. */
    private fun nobody(name: String): Record {
        val digest = MessageDigest.getInstance("SHA-256").digest("${store.id}/$name".encodeToByteArray())
        val random = Random(digest.take(8).fold(0L) { seed, byte -> (seed shl 8) or (byte.toLong() and 0xFF) })
        val templates = List(options.minImages) {
            val values = DoubleArray(verifier.dimension) { random.nextGaussian() }
            val length = sqrt(values.sumOf { it * it })
            FloatArray(values.size) { (values[it] / length).toFloat() }
        }
        return Record(name, templates, "")
    }

    private fun decide(
        name: String?,
        matched: Boolean,
        score: Double?,
        limit: Threshold?,
        face: Face,
        otherwise: String,
    ): Decision {
        if (!matched) return decision(name, Outcome.NOT_ADMITTED, otherwise, score, limit, face)
        val opinion = options.policy?.judge(face)
            ?: return decision(name, Outcome.ADMITTED, "recognised", score, limit, face)
        val outcome = if (opinion.admits) Outcome.ADMITTED else Outcome.PERSON
        return decision(name, outcome, "recognised; ${opinion.reason}", score, limit, face)
    }

    public companion object {
        private const val ANYBODY = "\u0000anybody" // the counter of `identify`; no name can be this
        private const val NOT_ADMITTED =
            "the face does not match the name; try again, or use the way in that needs no face"
        private const val NOBODY =
            "the face matches nobody enrolled; try again, or use the way in that needs no face"

        /**
         * Compares a face with a template set: the mean of the cosines to each. Thresholds are measured on single
         * comparisons, and this is the rule that keeps their false match rate (docs/door.md has the figures).
         *
         * @param templates each of length 1.
         * @param probe of length 1.
         * @return -1..1.
         */
        @JvmStatic
        public fun similarity(templates: List<FloatArray>, probe: FloatArray): Double =
            (templates.sumOf { dot(it, probe) } / templates.size).coerceIn(-1.0, 1.0)

        /**
         * Deletes a person from a store; needs no model. See [delete].
         *
         * @throws UnknownName nobody is enrolled under the name.
         * @throws StoreError the store must not be used.
         */
        @JvmStatic
        public fun forget(store: Store, name: String): Unit = forget(store, name, Attempts(store, LinuxClock))

        private fun forget(store: Store, name: String, attempts: Attempts) {
            val known = cleanName(name)
            store.locked {
                Vault.forget(store, known)
                attempts.succeed(known)
            }
        }

        private fun decision(
            name: String?,
            outcome: Outcome,
            reason: String,
            score: Double?,
            limit: Threshold?,
            face: Face,
        ) = Decision(
            name, outcome, reason, score, limit?.value, limit?.targetFmr, limit?.comparisons ?: 0, face.gender,
        )

        private fun now(): String = SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'+00:00'", Locale.ROOT)
            .apply { timeZone = TimeZone.getTimeZone("UTC") }.format(Date())
    }
}
