"""What OpenAPI says of bodies and refusals, where FastAPI cannot read it off a signature."""

from typing import Any

from handlens.serve.schemas import RefusalOut
from handlens.serve.uploads import MULTIPART, RAW

LONGEST_NAME = 80

# By status: what it means, and the code, message and advice of an example.
_ABOUT: dict[int, tuple[str, str, str, str]] = {
    400: ("The request cannot be read.", "gone", "the client left before its body had come", ""),
    401: (
        "The bearer token is missing or wrong.",
        "no-token",
        "the bearer token is missing or wrong",
        "Send the header Authorization: Bearer TOKEN.",
    ),
    403: (
        "The request comes from a page of another origin.",
        "cross-origin",
        "the request comes from a page of another origin",
        "Use the server's own page.",
    ),
    404: ("Nobody of that name is enrolled.", "unknown-name", "nobody is enrolled under the name 'Eileen'", ""),
    408: (
        "The body came too slowly.",
        "too-slow",
        "the body did not come within 30 seconds",
        "Send a smaller picture.",
    ),
    409: (
        "What is set up here cannot do it, or the name is taken.",
        "no-door",
        "this server has no verifier, so it neither enrols nor verifies",
        "Start it with --verifier FILE.",
    ),
    413: (
        "Too many bytes or pixels.",
        "too-large",
        "the body has more than 16,777,216 bytes",
        "Send fewer or smaller pictures, or start the server with a higher --max-upload.",
    ),
    415: (
        "No JPEG, PNG, WebP or BMP picture, or a body of another type.",
        "unsupported-type",
        "the Content-Type is 'text/plain'",
        "This endpoint reads multipart/form-data.",
    ),
    421: (
        "The Host header is not one of this server's.",
        "wrong-host",
        "the Host header is 'example.com', which this server does not answer to",
        "Open the address that the server printed, or start it with --allow-host NAME.",
    ),
    422: (
        "The form lacks a part, the picture cannot be used, or a gate refuses it.",
        "several-faces",
        "two faces",
        "show one",
    ),
    429: (
        "Too many attempts failed; wait for `Retry-After` seconds.",
        "too-many-attempts",
        "5 attempts failed in a row",
        "wait, or use the way in that needs no face",
    ),
    503: (
        "Every place is taken; try again.",
        "busy",
        "the server answers as many requests as it can hold",
        "Try again in a second.",
    ),
}
_ALWAYS = (400, 401, 403, 421)
_UPLOAD = (408, 413, 415, 422, 503)
_FIELDS: dict[str, dict[str, Any]] = {
    "name": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "examples": ["Eileen"]},
    "consent": {"const": "yes", "type": "string", "description": "the person agreed to be enrolled"},
}


# What an enrolment leads to, for readers and for tools that walk through an API.
AFTER_ENROL: dict[int | str, dict[str, Any]] = {
    201: {
        "links": {
            "forget": {
                "operationId": "forget",
                "parameters": {"name": "$response.body#/name"},
                "description": "Forgets the person that was enrolled.",
            }
        }
    }
}


def refusals(*more: int, upload: bool = False) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: every status it may refuse with, all in one shape."""
    statuses = sorted({*_ALWAYS, *more, *(_UPLOAD if upload else ())})
    described: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        about, code, message, advice = _ABOUT[status]
        error: dict[str, Any] = {"code": code, "message": message, "advice": advice}
        if status in (429, 503):
            error["retry_after"] = 1.0 if status == 503 else 30.0
        content = {"application/json": {"example": {"error": error}}}
        described[status] = {"model": RefusalOut, "description": about, "content": content}
    return described


def body(*, fields: tuple[str, ...] = (), images: int = 1, raw: bool = False) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its body itself.

    Args:
        fields: required text fields of the form.
        images: how many files named `image` it takes.
        raw: whether the bare bytes of a picture do as well.
    """
    picture = {"type": "string", "contentMediaType": "application/octet-stream", "format": "binary"}
    image: dict[str, Any] = picture
    if images > 1:
        image = {"type": "array", "items": picture, "minItems": 1, "maxItems": images}
    form = {
        "type": "object",
        "properties": {**{name: _FIELDS[name] for name in fields}, "image": image},
        "required": [*fields, "image"],
        "additionalProperties": False,
    }
    content: dict[str, Any] = {MULTIPART: {"schema": form}}
    if raw:
        content |= {kind: {"schema": {"type": "string", "format": "binary", "minLength": 1}} for kind in RAW}
    return {"requestBody": {"required": True, "content": content}}


def describe(schema: dict[str, Any], *, token: bool) -> dict[str, Any]:
    """Adds to FastAPI's schema that `/v1/` asks for a bearer token, where it does."""
    schema.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    if token:
        schema["security"] = [{"token": []}]
    # FastAPI's own shape of a refused parameter, which this server does not use.
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"].get("schemas", {}).pop(name, None)
    return schema
