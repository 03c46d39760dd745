"""Puts the server together: routes, the page, refusals in one shape, and the guard before it all."""

import contextlib
import logging
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse
from starlette.staticfiles import StaticFiles

import handlens
from handlens.errors import HandlensError
from handlens.serve import openapi
from handlens.serve.guard import Guard
from handlens.serve.limits import Limits
from handlens.serve.problems import Problem, answer
from handlens.serve.routes import make_router
from handlens.serve.service import Service
from handlens.serve.worker import Worker

STATIC = Path(__file__).with_name("static")

_ABOUT = """Face detection, and a door: enrol, verify, identify.

There is **no liveness detection**: a photograph of a person passes as the person. Do not let this open a real door.
Pictures are held in memory for the time of a request and are never stored or logged."""

log = logging.getLogger("handlens.serve")


def make_app(
    service: Service, limits: Limits, *, token: str | None = None, hosts: Collection[str] | None = None
) -> Guard:
    """Makes the ASGI application.

    Args:
        service: what it answers with; its engines are used from one thread of the application's own.
        limits: every request is held to.
        token: that `/v1/` asks for; None for none (bind to loopback only).
        hosts: names that the Host header may have, without a port; None for any.
    """
    worker = Worker(limits.requests)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        worker.close()

    app = FastAPI(
        title="handlens",
        version=handlens.__version__,
        description=_ABOUT,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,  # FastAPI's pages load scripts from another host
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.include_router(make_router(service, worker, limits))
    _answer_in_one_shape(app)
    _add_page(app)

    def schema() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = openapi.describe(FastAPI.openapi(app), token=token is not None)
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]
    return Guard(app, token=token, hosts=hosts)


def _answer_in_one_shape(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    @app.exception_handler(HandlensError)
    async def refused(_: Request, error: Exception) -> JSONResponse:
        response = answer(error)
        if response.status_code == 500:
            log.error("%s: %s", type(error).__name__, error)
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # What was given stays out of the answer: it may be long, or no text at all.
        parts = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5]]
        return answer(Problem(422, "bad-request", "; ".join(parts), "See /openapi.json."))

    @app.exception_handler(HTTPException)
    async def plain(_: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "bad-request")
        response = answer(Problem(error.status_code, code, str(error.detail), "See /openapi.json."))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        return answer(error)  # starlette raises it again after the answer; uvicorn logs the traceback


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
