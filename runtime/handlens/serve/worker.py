"""One thread that runs the engines, and a bounded number of requests that may wait for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from handlens.serve.problems import busy

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """Runs calls one after the other in a thread of its own: engines and the attempt counter are not thread-safe.

    Args:
        places: requests that may hold a body at once, the one that is worked on among them.
    """

    def __init__(self, places: int) -> None:
        """Starts no thread yet."""
        self._places = places
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="handlens")

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Holds a place while a request is read and answered.

        Raises:
            Problem: 503, every place is taken.
        """
        if self._places < 1:
            raise busy()
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a call in the thread and returns what it returns."""
        return await asyncio.wrap_future(self._pool.submit(call, *args, **kwargs))

    def close(self) -> None:
        """Waits for the running call and drops the others."""
        self._pool.shutdown(wait=True, cancel_futures=True)
