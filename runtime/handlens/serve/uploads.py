"""Reads a request's body within its limits: pictures and text fields, in memory, never on disk."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from handlens.serve.limits import Limits
from handlens.serve.problems import Problem

MULTIPART = "multipart/form-data"
RAW = ("image/jpeg", "image/png", "image/webp", "image/bmp", "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Upload:
    """What a request brought.

    Attributes:
        images: bytes of each picture, in order.
        fields: text by field name.
    """

    images: tuple[bytes, ...]
    fields: dict[str, str]


async def read(request: Request, limits: Limits, *, fields: tuple[str, ...] = (), images: int = 1) -> Upload:
    """Reads a body: multipart with `image` parts and text fields, or (where no field is asked for) a bare image.

    Args:
        request: whose body was not read yet.
        limits: of the server.
        fields: names that must be there.
        images: how many `image` parts there may be; at least one must be there.

    Raises:
        Problem: 408, 413, 415 or 422: too slow, too large, of another type, or a part is missing, twice or unknown.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != MULTIPART and (fields or kind not in RAW):
        allowed = ", ".join((MULTIPART,) if fields else (MULTIPART, *RAW))
        raise Problem(415, "unsupported-type", f"the Content-Type is {kind[:100]!r}", f"This endpoint reads {allowed}.")
    try:
        async with asyncio.timeout(limits.upload_seconds):
            if kind != MULTIPART:
                return _bare(b"".join([chunk async for chunk in _bounded(request, limits)]))
            return await _multipart(request, limits, fields, images)
    except TimeoutError:
        message = f"the body did not come within {limits.upload_seconds:g} seconds"
        raise Problem(408, "too-slow", message, "Send a smaller picture.") from None
    except ClientDisconnect:
        raise Problem(400, "gone", "the client left before its body had come") from None


def _bare(data: bytes) -> Upload:
    if not data:
        raise Problem(422, "no-image", "the body is empty", "Send the bytes of a picture.")
    return Upload((data,), {})


async def _bounded(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    said = request.headers.get("content-length", "")
    total = 0
    if said.isdecimal() and int(said[:20]) > limits.upload_bytes:
        raise _too_large(limits)
    async for chunk in request.stream():
        total += len(chunk)
        if total > limits.upload_bytes:
            raise _too_large(limits)
        yield chunk


async def _multipart(request: Request, limits: Limits, fields: tuple[str, ...], images: int) -> Upload:
    parser = MultiPartParser(
        request.headers,
        _bounded(request, limits),
        max_files=images,
        max_fields=len(fields),
        max_part_size=limits.field_bytes,
    )
    # Larger than any body may be: pictures of people never reach a temporary file.
    parser.spool_max_size = limits.upload_bytes + 1
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(422, "bad-form", f"the form cannot be read: {error.message}", _wanted(fields, images)) from None
    try:
        return await _sorted(form.multi_items(), fields, images)
    finally:
        await form.close()


async def _sorted(items: list[tuple[str, UploadFile | str]], fields: tuple[str, ...], images: int) -> Upload:
    pictures: list[bytes] = []
    texts: dict[str, str] = {}
    for name, value in items:
        if name == "image" and isinstance(value, UploadFile):
            pictures.append(await value.read())
        elif name in fields and name not in texts and isinstance(value, str):
            texts[name] = value
        else:
            message = (
                f"the form's part {name[:50]!r} is unknown, given twice, or no {'file' if name == 'image' else 'text'}"
            )
            raise Problem(422, "bad-form", message, _wanted(fields, images))
    missing = [*(["image"] if not pictures else []), *(name for name in fields if name not in texts)]
    if missing:
        raise Problem(422, "bad-form", f"the form lacks {', '.join(missing)}", _wanted(fields, images))
    if not all(pictures):
        raise Problem(422, "no-image", "an image part is empty", "Send the bytes of a picture.")
    return Upload(tuple(pictures), texts)


def _wanted(fields: tuple[str, ...], images: int) -> str:
    many = "one file named image" if images == 1 else f"1 to {images} files named image"
    return f"Send {many}" + (f" and the text {', '.join(fields)}." if fields else ".")


def _too_large(limits: Limits) -> Problem:
    return Problem(
        413,
        "too-large",
        f"the body has more than {limits.upload_bytes:,} bytes",
        "Send fewer or smaller pictures, or start the server with a higher --max-upload.",
    )
