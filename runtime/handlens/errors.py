"""Every error handlens raises on purpose, in one tree.

The command line turns each into one line on stderr and its `exit_code`; a traceback always means a bug. A message says
what is wrong (with the value), what would be valid, and what to do next.

    HandlensError (exit code 2)
      InputError              a value or a file the caller gave
        ImageError            an image that cannot be used
          ImageTruncated      the file ends early
          ImageTooLarge       more pixels than allowed (read from the header, before decoding)
          ImageUnreadable     no known image format, or a damaged one
          ImageShapeError     an array or image of the wrong shape, type or channels
        DataError             a data set that cannot be used
          EmptyFolder         a folder without images
          UnknownLayout       a folder that follows no known layout
          ProbeWithoutMatch   a probe whose identity is not in the gallery
          DataNotFound        HANDLENS_DATA is not set, or the data is not there
          SplitLeak           an image or identity in two splits
        OptionError           an unknown recipe, engine, format, ...
        RateUnsupported       no threshold, or too few comparisons behind it, for a false match rate
        RunError              a run folder half written, or of another task
        RatingsError          no rating, one out of range, or of an unknown title
        Refused (exit code 4)   the door does not go on with this image or attempt; `advice` says what to do
          FaceRefused           a gate, before any embedding
            NoFace              no face in the image
            SeveralFaces        more than one face
            FaceTooSmall        too few pixels between the eyes
            FaceCutOff          part of the face is outside the image
            FaceTurned          turned aside, up or down, or tilted
            FaceTooDark         underexposed
            FaceTooBright       overexposed
            FaceBlurred         out of focus, or moved
          EnrolmentRefused      the images cannot become one person's template set
            ImageCountWrong     too few images, or too many
            EnrolmentTooAlike   two images are copies, or of the same moment
            EnrolmentInconsistent  the images do not show one person
            AlreadyEnrolled     the name is taken
          TooManyAttempts       failed too often; `retry_after` seconds to wait
          UnknownName           nobody is enrolled under the name (for operators; visitors are not told)
      ArtifactError           an artifact that must not be loaded
        NotAnArtifact         no handlens ZIP at the end of the file
        ArtifactTooLarge      more bytes than allowed
        ArtifactTruncated     the file is shorter than it says
        ArtifactTampered      a byte differs from what was written, or a part does not belong
        SchemaTooNew          the manifest was written by a newer handlens
        ManifestInvalid       the manifest breaks a rule
        GoldenInvalid         golden vectors damaged, or useless because outputs hardly vary
      EngineError             an inference engine that must not be used
        EngineUnavailable     package missing, or it cannot read the model
        EngineWrong           it runs, but its outputs differ from the goldens
      GalleryError            a gallery that must not be used
        GalleryMismatch       made by another model
        GalleryInvalid        damaged, or not a gallery
      StoreError              a door's store that must not be used
        StoreTampered         a file of it was changed, exchanged or removed
        StoreOpen             others than its owner can read or write it
        KeyMissing            its key is not where it was kept
      DeviceError             a device, board or browser that cannot measure
        DeviceNotFound        none is there, or not the one named; or it does not let us in
        DeviceAmbiguous       several are there, and none was named
        DeviceLost            it went away in the middle
        DeviceFull            no space is left on it
        DeviceUnsuitable      wrong kind of processor, or a program or package is missing
      MissingExtra            an optional package is not installed
      GateFailed (exit code 3)  a compressed artifact lost more accuracy than allowed
"""

import copy
from typing import ClassVar, Self


class HandlensError(Exception):
    """Base of every deliberate handlens error."""

    exit_code: ClassVar[int] = 2


class InputError(HandlensError):
    """A value or a file the caller gave cannot be used."""


class ImageError(InputError):
    """An image cannot be used."""


class ImageTruncated(ImageError):
    """An image file ends early."""


class ImageTooLarge(ImageError):
    """An image has more pixels than allowed; found in its header, before decoding."""


class ImageUnreadable(ImageError):
    """A file is in no known image format, or is damaged."""


class ImageShapeError(ImageError):
    """An image has the wrong shape, type or number of channels."""


class DataError(InputError):
    """A data set cannot be used."""


class EmptyFolder(DataError):
    """A folder holds no images."""


class UnknownLayout(DataError):
    """A folder follows none of the known data set layouts."""


class ProbeWithoutMatch(DataError):
    """A probe's identity is not in the gallery, so no rank exists for it."""


class DataNotFound(DataError):
    """HANDLENS_DATA is not set, or the data set is not there."""


class SplitLeak(DataError):
    """An image or an identity is in two splits that must be disjoint."""


class OptionError(InputError):
    """An option has no such value: an unknown recipe, engine, format, ..."""


class RateUnsupported(InputError):
    """The artifact has no threshold for a false match rate, or too few comparisons stand behind it."""


class RunError(InputError):
    """A run folder is half written, or belongs to another task."""


class RatingsError(InputError):
    """Somebody's ratings cannot be used: there is none, one is out of range, or of an unknown title."""


class Refused(InputError):
    """The door does not go on with this image or attempt. The message says what was seen, then what to do.

    Attributes:
        seen: what was seen, with the value and the limit.
        advice: what to do, for the person in front of the camera.
    """

    exit_code: ClassVar[int] = 4

    def __init__(self, seen: str, advice: str) -> None:
        """Keeps both."""
        super().__init__(seen, advice)
        self.seen = seen
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.seen}; {self.advice}"

    def at(self, place: str) -> Self:
        """Returns a copy whose message begins with a place, such as "image 2"."""
        copied = copy.copy(self)
        copied.seen = f"{place}: {self.seen}"
        return copied


class FaceRefused(Refused):
    """A gate refuses the face, before anything is embedded or compared."""


class NoFace(FaceRefused):
    """There is no face in the image."""


class SeveralFaces(FaceRefused):
    """There is more than one face in the image."""


class FaceTooSmall(FaceRefused):
    """There are too few pixels between the eyes."""


class FaceCutOff(FaceRefused):
    """Part of the face is outside the image."""


class FaceTurned(FaceRefused):
    """The face is turned aside, up or down, or tilted."""


class FaceTooDark(FaceRefused):
    """The face is underexposed."""


class FaceTooBright(FaceRefused):
    """The face is overexposed."""


class FaceBlurred(FaceRefused):
    """The face is out of focus, or moved."""


class EnrolmentRefused(Refused):
    """The images cannot become one person's template set."""


class ImageCountWrong(EnrolmentRefused):
    """There are too few images for an enrolment, or too many."""


class EnrolmentTooAlike(EnrolmentRefused):
    """Two images are copies of one, or of the same moment, and teach nothing of how the person varies."""


class EnrolmentInconsistent(EnrolmentRefused):
    """The images do not all show one person, as far as the model can tell."""


class AlreadyEnrolled(EnrolmentRefused):
    """Somebody is enrolled under the name."""


class TooManyAttempts(Refused):
    """There were too many failed attempts.

    Attributes:
        retry_after: seconds to wait; None where an operator has to reset the counter.
    """

    def __init__(self, seen: str, advice: str, *, retry_after: float | None = None) -> None:
        """Keeps all three."""
        super().__init__(seen, advice)
        self.retry_after = retry_after


class UnknownName(Refused):
    """Nobody is enrolled under the name. For operators: a visitor is told the same as when the face differs."""


class ArtifactError(HandlensError):
    """An artifact must not be loaded."""


class NotAnArtifact(ArtifactError):
    """The file carries no handlens ZIP at its end."""


class ArtifactTooLarge(ArtifactError):
    """The file has more bytes than allowed."""


class ArtifactTruncated(ArtifactError):
    """The file is shorter than it says it is."""


class ArtifactTampered(ArtifactError):
    """A byte differs from what was written, or a part does not belong there."""


class SchemaTooNew(ArtifactError):
    """The manifest was written by a newer handlens."""


class ManifestInvalid(ArtifactError):
    """The manifest breaks a rule; the message names the field."""


class GoldenInvalid(ArtifactError):
    """Golden vectors are damaged, or useless because the outputs hardly vary."""


class EngineError(HandlensError):
    """An inference engine must not be used."""


class EngineUnavailable(EngineError):
    """The engine's package is missing, or it cannot read this model."""


class EngineWrong(EngineError):
    """The engine runs, but its outputs differ from the golden ones."""


class GalleryError(HandlensError):
    """A gallery must not be used."""


class GalleryMismatch(GalleryError):
    """The gallery's templates were made by another model."""


class GalleryInvalid(GalleryError):
    """The file is damaged, or is no gallery."""


class StoreError(HandlensError):
    """A door's store must not be used."""


class StoreTampered(StoreError):
    """A file of the store was changed, exchanged or removed."""


class StoreOpen(StoreError):
    """Others than its owner can read or write a file of the store."""


class KeyMissing(StoreError):
    """The store's key is not where it was kept."""


class DeviceError(HandlensError):
    """A device, a board behind ssh or a browser cannot measure. Nothing is left behind on it."""


class DeviceNotFound(DeviceError):
    """No device is there, or not the one named, or it does not let us in."""


class DeviceAmbiguous(DeviceError):
    """Several devices are there, and none was named."""


class DeviceLost(DeviceError):
    """The device went away in the middle, or stopped answering."""


class DeviceFull(DeviceError):
    """No space is left on the device."""


class DeviceUnsuitable(DeviceError):
    """The device has the wrong kind of processor, or lacks a program or package."""


class MissingExtra(HandlensError):
    """An optional package is not installed: `package` could not be imported, handlens's `extra` installs it."""

    def __init__(self, package: str, extra: str) -> None:
        """Builds the message that says what to install."""
        super().__init__(f"this needs {package}, which is not installed; run: pip install 'handlens[{extra}]'")
        self.package = package
        self.extra = extra


class GateFailed(HandlensError):
    """A compressed artifact lost more accuracy than allowed and was not written."""

    exit_code: ClassVar[int] = 3
