package io.handlens

/**
 * Base of every error that handlens throws on purpose. Each message names the bad value, what would be valid, and the
 * next step.
 *
 * The names are those of Python's `handlens.errors`: [InputError] (and the door's [Refused]), [ArtifactError],
 * [EngineError], [GalleryError], [StoreError].
 */
public sealed class HandlensException(message: String, cause: Throwable? = null) : RuntimeException(message, cause)

/** A value that the caller gave cannot be used. */
public open class InputError(message: String, cause: Throwable? = null) : HandlensException(message, cause)

/** An image cannot be used. */
public open class ImageError(message: String, cause: Throwable? = null) : InputError(message, cause)

/** An image file ends early. */
public class ImageTruncated(message: String, cause: Throwable? = null) : ImageError(message, cause)

/** An image has more pixels than allowed. */
public class ImageTooLarge(message: String, cause: Throwable? = null) : ImageError(message, cause)

/** A file is in no known image format, or is damaged. */
public class ImageUnreadable(message: String, cause: Throwable? = null) : ImageError(message, cause)

/** An image has the wrong size or number of channels; or its points cannot be aligned. */
public class ImageShapeError(message: String, cause: Throwable? = null) : ImageError(message, cause)

/** An option has no such value: an unknown engine, another task's artifact, fewer threads than one, ... */
public class OptionError(message: String, cause: Throwable? = null) : InputError(message, cause)

/** The artifact has no threshold for a false match rate, or too few comparisons stand behind it. */
public class RateUnsupported(message: String, cause: Throwable? = null) : InputError(message, cause)

/** Somebody's ratings cannot be used: there is none, one is out of range, or of an unknown title. */
public class RatingsError(message: String, cause: Throwable? = null) : InputError(message, cause)

/** An artifact must not be loaded. */
public open class ArtifactError(message: String, cause: Throwable? = null) : HandlensException(message, cause)

/** The bytes carry no handlens ZIP at their end. */
public class NotAnArtifact(message: String, cause: Throwable? = null) : ArtifactError(message, cause)

/** There are more bytes than allowed. */
public class ArtifactTooLarge(message: String, cause: Throwable? = null) : ArtifactError(message, cause)

/** There are fewer bytes than the artifact says it has. */
public class ArtifactTruncated(message: String, cause: Throwable? = null) : ArtifactError(message, cause)

/** A byte differs from what was written, or a part does not belong there. */
public class ArtifactTampered(message: String, cause: Throwable? = null) : ArtifactError(message, cause)

/** The manifest was written by a newer handlens. */
public class SchemaTooNew(message: String, cause: Throwable? = null) : ArtifactError(message, cause)

/** The manifest breaks a rule; the message names the field. */
public class ManifestInvalid(message: String, cause: Throwable? = null) : ArtifactError(message, cause)

/** Golden vectors are damaged, or useless because the outputs hardly vary. */
public class GoldenInvalid(message: String, cause: Throwable? = null) : ArtifactError(message, cause)

/** An inference engine must not be used, failed, or is closed. */
public open class EngineError(message: String, cause: Throwable? = null) : HandlensException(message, cause)

/** The engine's library is missing, or it cannot read this model. */
public class EngineUnavailable(message: String, cause: Throwable? = null) : EngineError(message, cause)

/** The engine runs, but its outputs differ from the golden ones. */
public class EngineWrong(message: String, cause: Throwable? = null) : EngineError(message, cause)

/** A gallery must not be used. */
public open class GalleryError(message: String, cause: Throwable? = null) : HandlensException(message, cause)

/** The gallery's templates were made by another model. */
public class GalleryMismatch(message: String, cause: Throwable? = null) : GalleryError(message, cause)

/** The bytes are damaged, or no gallery. */
public class GalleryInvalid(message: String, cause: Throwable? = null) : GalleryError(message, cause)

/** A door's store must not be used. */
public open class StoreError(message: String, cause: Throwable? = null) : HandlensException(message, cause)

/** A part of the store was changed, exchanged or removed. */
public class StoreTampered(message: String, cause: Throwable? = null) : StoreError(message, cause)

/** The store's key is not where it was kept. */
public class KeyMissing(message: String, cause: Throwable? = null) : StoreError(message, cause)
