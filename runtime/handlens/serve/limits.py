"""What one request may cost: bytes, pixels, images, seconds, and how many may wait."""

from dataclasses import dataclass, fields

from handlens.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a server. Every request is held to them while it is read, not after.

    Attributes:
        upload_bytes: of a whole request body, all its pictures together.
        pixels: of one picture, by its header, before it is decoded.
        images: in one enrolment.
        field_bytes: of a text field in a form.
        upload_seconds: until a body has come whole.
        requests: with a body at once; each holds at most `upload_bytes`. More are told to come again.
    """

    upload_bytes: int = 16 * 2**20
    pixels: int = 25_000_000
    images: int = 10
    field_bytes: int = 4096
    upload_seconds: float = 30.0
    requests: int = 4

    def __post_init__(self) -> None:
        """Validates.

        Raises:
            OptionError: a limit is not positive.
        """
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise OptionError(f"the limit {field.name} is {getattr(self, field.name)}; expected more than 0")
