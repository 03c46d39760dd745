package io.handlens.door

import io.handlens.AlreadyEnrolled
import io.handlens.EnrolmentInconsistent
import io.handlens.EnrolmentTooAlike
import io.handlens.ImageCountWrong
import io.handlens.OptionError
import io.handlens.RateUnsupported
import io.handlens.SeveralFaces
import io.handlens.TooManyAttempts
import io.handlens.UnknownName
import io.handlens.door.DoorFakes.shot
import io.handlens.image.RgbImage
import io.handlens.task.Gender
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.File

class DoorTest {
    @TempDir
    lateinit var folder: File

    private var now = Moment(1e9, "a", 100.0)
    private val store by lazy { Store.open(folder.resolve("store"), SoftwareKeys(folder.resolve("key"))) }

    private fun door(
        options: DoorOptions = DoorOptions(),
        detector: FaceFinder = DoorFakes.Detector(),
        verifier: FaceEmbedder = DoorFakes.Verifier(),
    ) = Door(detector, verifier, store, options) { now }

    /** The image with left and right exchanged; the fakes' points lie evenly about its middle. */
    private fun mirrored(image: RgbImage): RgbImage {
        val row = 3 * image.width
        val pixels = ByteArray(image.pixels.size) { image.pixels[it / row * row + row - 3 - it % row / 3 * 3 + it % 3] }
        image.pixels.copyInto(pixels, 0, 0, 3)
        return RgbImage(pixels, image.width, image.height)
    }

    private fun shots(person: Int, count: Int = 3) = List(count) { shot(person, it) }

    @Test
    fun `whoever was enrolled is admitted under his name, and nobody else is`() {
        val door = door()
        assertEquals(Enrolment("Ada", 3, DoorFakes.MODEL), door.enrol(" Ada ", shots(1)))
        val decision = door.verify("Ada", shot(1, 9))
        assertTrue(decision.admitted && decision.reason == "recognised")
        assertEquals(0.7, decision.threshold)
        assertFalse(door.verify("Ada", shot(2)).admitted)
        assertEquals(listOf("Ada"), door.names())
    }

    @Test
    fun `an unknown name is answered like a wrong face, and told apart only for operators`() {
        val door = door()
        door.enrol("Ada", shots(1))
        val wrong = door.verify("Ada", shot(2))
        val unknown = door.verify("Eve", shot(2))
        assertEquals(wrong.reason to wrong.outcome, unknown.reason to unknown.outcome)
        assertEquals(unknown.score, door.verify("Eve", shot(2)).score)
        assertThrows<UnknownName> { door.verify("Eve", shot(2), reveal = true) }
        assertThrows<UnknownName> { door.delete("Eve") }
    }

    @Test
    fun `after five failures the door makes wait, also whoever knows the name`() {
        val door = door()
        door.enrol("Ada", shots(1))
        repeat(5) { assertFalse(door.verify("Ada", shot(2)).admitted) }
        assertEquals(30.0, assertThrows<TooManyAttempts> { door.verify("Ada", shot(1)) }.retryAfter)
        now = Moment(1e9 + 31, "a", 131.0)
        assertTrue(door.verify("Ada", shot(1)).admitted)
        repeat(5) { door.verify("Ada", shot(2)) }
        door.resetAttempts("Ada")
        assertTrue(door.verify("Ada", shot(1)).admitted)
    }

    @Test
    fun `a gate's refusal is no attempt, and an enrolment says which image it was`() {
        val door = door()
        door.enrol("Ada", shots(1))
        repeat(9) { assertThrows<SeveralFaces> { door.verify("Ada", shot(1, faces = 2)) } }
        assertTrue(door.verify("Ada", shot(1)).admitted)
        val refusal = assertThrows<SeveralFaces> { door.enrol("Bob", listOf(shot(2), shot(2, 1, faces = 3))) }
        assertEquals("image 2: three faces; show one", refusal.message)
        assertTrue(door.examine(shot(1)).passed)
        assertEquals(1, door.examine(shot(1, faces = 2)).verdicts.size)
    }

    @Test
    fun `images that make no template set are refused, and say why`() {
        val door = door()
        assertThrows<ImageCountWrong> { door.enrol("Ada", shots(1, 1)) }
        assertThrows<ImageCountWrong> { door.enrol("Ada", shots(1, 11)) }
        assertThrows<EnrolmentTooAlike> { door.enrol("Ada", listOf(shot(1), shot(1))) }
        assertThrows<EnrolmentTooAlike> { door.enrol("Ada", listOf(shot(1), mirrored(shot(1)))) }
        val mixed = assertThrows<EnrolmentInconsistent> { door.enrol("Ada", shots(1) + shot(2)) }
        assertTrue(mixed.seen.startsWith("image 4 of 4 does not look like the same person"))
        assertEquals(emptyList<String>(), door.names())
        door.enrol("Ada", shots(1))
        assertThrows<AlreadyEnrolled> { door.enrol("Ada", shots(1)) }
        door.enrol("Ada", shots(2), replace = true)
        assertTrue(door.verify("Ada", shot(2, 8)).admitted)
        assertFalse(door.verify("Ada", shot(1, 8)).admitted)
    }

    @Test
    fun `identify finds who is enrolled, at a rate that keeps for all of them together`() {
        val door = door()
        assertNull(door.identify(shot(1)).score)
        (1..3).forEach { door.enrol("person $it", shots(it)) }
        assertEquals("person 2", door.identify(shot(2, 7)).name)
        val nobody = door.identify(shot(9))
        assertEquals(null to Outcome.NOT_ADMITTED, nobody.name to nobody.outcome)
        assertEquals(1e-3, nobody.targetFmr)
        (4..11).forEach { door.enrol("person $it", shots(it)) }
        assertThrows<RateUnsupported> { door.identify(shot(1)) }
    }

    @Test
    fun `a face that two people share goes to a person`() {
        val door = door()
        door.enrol("Ada", shots(1))
        door.enrol("Twin", shots(1))
        val decision = door.identify(shot(1, 5))
        assertEquals(null to Outcome.PERSON, decision.name to decision.outcome)
    }

    @Test
    fun `a face is held against the mean of a set, which keeps the rate that was measured`() {
        val set = listOf(floatArrayOf(1f, 0f), floatArrayOf(0f, 1f), floatArrayOf(0.6f, 0.8f))
        assertEquals((1.0 + 0.0 + 0.6) / 3, Door.similarity(set, floatArrayOf(1f, 0f)), 1e-7)
        assertEquals(1.0, Door.similarity(set.take(1), floatArrayOf(1.0000001f, 0f)))
    }

    @Test
    fun `a policy hands over to a person, and never refuses`() {
        val policy = GenderPolicy(setOf(Gender.Label.FEMALE), 0.9)
        val outcomes = listOf(
            Gender(Gender.Label.FEMALE, 0.95), Gender(Gender.Label.FEMALE, 0.8), Gender(Gender.Label.MALE, 0.99), null,
        ).map { gender ->
            val door = door(DoorOptions(policy = policy), DoorFakes.Detector(gender))
            if (door.names().isEmpty()) door.enrol("Ada", shots(1))
            door.verify("Ada", shot(1, 5)).outcome
        }
        assertEquals(listOf(Outcome.ADMITTED) + List(3) { Outcome.PERSON }, outcomes)
        assertThrows<OptionError> { GenderPolicy(emptySet()) }
    }

    @Test
    fun `another model has nobody's templates, and forgetting reaches every model`() {
        val door = door()
        val other = door(verifier = DoorFakes.Verifier(DoorFakes.OTHER))
        door.enrol("Ada", shots(1))
        assertFalse(other.verify("Ada", shot(1)).admitted)
        other.enrol("Ada", shots(1))
        door.delete("Ada")
        assertEquals(emptyList<String>() to emptyList<String>(), door.names() to other.names())
    }

    @Test
    fun `a rate that was not measured is refused when the door is opened`() {
        assertThrows<RateUnsupported> { door(DoorOptions(fmr = 1e-4)) }
        assertThrows<OptionError> { DoorOptions(fmr = 0.0) }
        assertThrows<OptionError> { DoorOptions(minImages = 3, maxImages = 2) }
    }

    @Test
    fun `closing releases the models, and twice does no harm`() {
        val detector = DoorFakes.Detector()
        door(detector = detector).use { it.names() }
        assertTrue(detector.closed >= 1)
    }
}
