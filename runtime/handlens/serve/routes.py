"""The routes of `/v1/`: each reads a bounded body, asks the service in the worker's thread, and answers."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from handlens.serve import openapi
from handlens.serve.limits import Limits
from handlens.serve.problems import Problem
from handlens.serve.schemas import Decision, Detected, Enrolled, Models
from handlens.serve.service import Service
from handlens.serve.uploads import Upload, read
from handlens.serve.worker import Worker

NAME = Path(
    description="as it was enrolled",
    min_length=1,
    max_length=openapi.LONGEST_NAME,
    openapi_examples={"somebody": {"summary": "A name", "value": "Eileen"}},
)


def make_router(service: Service, worker: Worker, limits: Limits) -> APIRouter:
    """Makes the routes of a service."""
    router = APIRouter(prefix="/v1")

    @router.get("/models", responses=openapi.refusals(), summary="What runs here", operation_id="models")
    async def models() -> Models:
        return service.models()

    @router.post(
        "/detect",
        responses=openapi.refusals(409, upload=True),
        openapi_extra=openapi.body(raw=True),
        summary="Find faces, and hear each gate",
        operation_id="detect",
    )
    async def detect(request: Request) -> Detected:
        async with worker.place():
            upload = await read(request, limits)
            return await worker.run(service.detect, upload.images[0])

    @router.post(
        "/enrol",
        responses=openapi.AFTER_ENROL | openapi.refusals(409, 429, upload=True),
        openapi_extra=openapi.body(fields=("name", "consent"), images=limits.images),
        summary="Enrol a person who agreed to it",
        operation_id="enrol",
        status_code=201,
    )
    async def enrol(request: Request) -> Enrolled:
        async with worker.place():
            upload = await read(request, limits, fields=("name", "consent"), images=limits.images)
            if upload.fields["consent"] != "yes":
                message = "the field consent is not 'yes'"
                raise Problem(422, "no-consent", message, "Enrol only who agreed to it; then send consent=yes.")
            return await worker.run(service.enrol, _name(upload), upload.images)

    @router.post(
        "/verify",
        responses=openapi.refusals(404, 409, 429, upload=True),
        openapi_extra=openapi.body(fields=("name",)),
        summary="Is this the person of that name?",
        operation_id="verify",
    )
    async def verify(request: Request) -> Decision:
        async with worker.place():
            upload = await read(request, limits, fields=("name",))
            return await worker.run(service.verify, _name(upload), upload.images[0])

    @router.post(
        "/identify",
        responses=openapi.refusals(409, 429, upload=True),
        openapi_extra=openapi.body(raw=True),
        summary="Who of the enrolled is this?",
        operation_id="identify",
    )
    async def identify(request: Request) -> Decision:
        async with worker.place():
            upload = await read(request, limits)
            return await worker.run(service.identify, upload.images[0])

    @router.delete(
        "/templates/{name}",
        responses=openapi.refusals(404, 409, 422, 429, 503),
        summary="Forget a person",
        operation_id="forget",
        status_code=204,
        response_class=Response,
    )
    async def forget(name: Annotated[str, NAME]) -> None:
        async with worker.place():
            await worker.run(service.forget, name)

    return router


def _name(upload: Upload) -> str:
    name = upload.fields["name"]
    if not 0 < len(name) <= openapi.LONGEST_NAME:
        message = f"the name has {len(name)} characters"
        raise Problem(422, "bad-name", message, f"Give 1 to {openapi.LONGEST_NAME} printable characters.")
    return name
