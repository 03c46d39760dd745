"""Every refusal has one shape: `{"error": {"code", "message", "advice"}}`, with a status that says whose turn it is."""

import re
from typing import Any

from starlette.responses import JSONResponse

from handlens.errors import (
    AlreadyEnrolled,
    HandlensError,
    ImageTooLarge,
    ImageUnreadable,
    InputError,
    OptionError,
    RateUnsupported,
    Refused,
    TooManyAttempts,
    UnknownName,
)

# Any other InputError is 422: understood, and not to be had with this picture or name.
_STATUSES: tuple[tuple[type[InputError], int], ...] = (
    (TooManyAttempts, 429),
    (UnknownName, 404),
    (AlreadyEnrolled, 409),
    # What is set up here cannot do it: a detector without points, a verifier without the rate.
    (RateUnsupported, 409),
    (OptionError, 409),
    (ImageTooLarge, 413),
    (ImageUnreadable, 415),
)


class Problem(Exception):
    """A request that is refused for a reason of HTTP's: too large, of another type, without a token.

    Args:
        status: of the answer.
        code: a word for programs, such as "too-large".
        message: what is wrong.
        advice: what to do.
        retry_after: seconds after which to come again.
    """

    def __init__(
        self, status: int, code: str, message: str, advice: str = "", *, retry_after: float | None = None
    ) -> None:
        """Keeps what the answer will say."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.advice = advice
        self.retry_after = retry_after


def busy() -> Problem:
    """Returns the refusal of a request that found every place taken."""
    message = "the server answers as many requests as it can hold"
    return Problem(503, "busy", message, "Try again in a second.", retry_after=1)


def answer(error: Exception) -> JSONResponse:
    """Turns an error into its answer. Anything but a `Problem` or `HandlensError` reads "internal" and says no more."""
    status, code, message, advice = _describe(error)
    body: dict[str, Any] = {"code": code, "message": message, "advice": advice}
    headers: dict[str, str] = {}
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        body["retry_after"] = float(retry_after)
        headers["Retry-After"] = str(max(1, -int(-float(retry_after) // 1)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": body}, status, headers)


def code_of(error: type[HandlensError]) -> str:
    """The word for an error's class: NoFace is "no-face"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", error.__name__).lower()


def _describe(error: Exception) -> tuple[int, str, str, str]:
    if isinstance(error, Problem):
        return error.status, error.code, str(error), error.advice
    if isinstance(error, Refused):
        return _status(error), code_of(type(error)), error.seen, error.advice
    if isinstance(error, InputError):
        return _status(error), code_of(type(error)), " ".join(str(error).split()), ""
    return 500, "internal", "the server failed", "Its log says more."


def _status(error: InputError) -> int:
    for kinds, status in _STATUSES:
        if isinstance(error, kinds):
            return status
    return 422
