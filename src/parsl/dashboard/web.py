"""The pages and answers of the dashboard, as a web application."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from parsl.dashboard import failed, graph, moving, nodes, slow, task, timeline
from parsl.dashboard.access import Access
from parsl.dashboard.live import Known
from parsl.dashboard.runs import Runs
from parsl.eventlog.file import EventLogError
from parsl.eventlog.overview import RunOverview

_STATIC = Path(__file__).with_name("static")
#: How often an open page gets what has changed (s).
_UPDATE_PERIOD_S = 1.0
#: How often a connection checks whether the server is to end (s).
_CHECK_PERIOD_S = 0.25
#: Names by which a browser on this machine, or behind `ssh -L`, reaches a port of loopback. Others are
#: refused: a page of another site may have directed its name here.
_HOSTS = ["localhost", "127.0.0.1"]

#: No later moment can be requested (s since the epoch).
_MAX_MOMENT_S = 1e11

#: Views without parameters, by name.
_VIEWS: dict[str, Callable[[Known], Any]] = {
    "overview": moving.overview,
    "rates": moving.rates,
    "waiting": moving.waiting,
    "failures": failed.groups,
    "slow": slow.slow,
    "nodes": nodes.nodes,
    "graph": graph.graph,
}


class Dashboard:
    """The application: answers about the runs of a directory.

    Args:
        runs: The runs.
        token: What requests must contain; empty for nothing.
        is_ending: Whether the server is to end, so that connections that stay open are closed.
    """

    def __init__(self, runs: Runs, token: str = "", is_ending: Callable[[], bool] = lambda: False) -> None:
        self._runs = runs
        self._is_ending = is_ending
        self.app = Starlette(
            routes=[
                Route("/", self._front),
                Route("/run/{run}/", self._page),
                Route("/api/runs", self._list),
                Route("/api/runs/{run}/stream", self._stream),
                Route("/api/runs/{run}/failures/{task:int}", self._attempts),
                Route("/api/runs/{run}/task/{task:int}", self._task),
                Route("/api/runs/{run}/timeline", self._timeline),
                Route("/api/runs/{run}/{view}", self._view),
                Mount("/static", StaticFiles(directory=_STATIC)),
            ],
            middleware=[
                Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS),
                Middleware(Access, token=token),
                Middleware(GZipMiddleware, minimum_size=2000),
            ],
            exception_handlers={KeyError: _no_such_run, EventLogError: _unreadable},
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._runs}>"

    def _front(self, request: Request) -> Response:
        if self._runs.single:
            return RedirectResponse(f"/run/{self._runs.single}/")
        return FileResponse(_STATIC / "runs.html")

    def _page(self, request: Request) -> Response:
        return FileResponse(_STATIC / "run.html")

    def _list(self, request: Request) -> Response:
        listed, count = self._runs.listed()
        return JSONResponse({"path": self._runs.path, "count": count, "runs": list(map(_listed, listed))})

    def _view(self, request: Request) -> Response:
        view = _VIEWS.get(request.path_params["view"])
        if view is None:
            return JSONResponse({"error": "There is no such view."}, status_code=404)
        run = self._runs.live(request.path_params["run"])
        return JSONResponse(run.answer(view, view))

    def _attempts(self, request: Request) -> Response:
        task = request.path_params["task"]
        directory = self._runs.directory(request.path_params["run"])
        return JSONResponse({"attempts": failed.attempts_in_file(directory, task)})

    def _task(self, request: Request) -> Response:
        number = request.path_params["task"]
        run = self._runs.live(request.path_params["run"])
        answer = run.answer(("task", number), partial(task.task, number=number))
        if answer is None:
            return JSONResponse({"error": f"The run has no task {number} (yet)."}, status_code=404)
        return JSONResponse(answer)

    def _timeline(self, request: Request) -> Response:
        try:
            part = timeline.Part(
                _seconds(request.query_params.get("from")),
                _seconds(request.query_params.get("to")),
                int(request.query_params.get("row", 0)),
            )
        except ValueError as error:
            return JSONResponse({"error": f"Not a number: {error}"}, status_code=400)
        run = self._runs.live(request.path_params["run"])
        return JSONResponse(run.answer(part, partial(timeline.timeline, part=part)))

    async def _stream(self, request: Request) -> Response:
        name = request.path_params["run"]
        await to_thread.run_sync(self._runs.live, name)  # if there is none, the request fails

        def answer() -> Any:
            return self._runs.live(name).answer(moving.overview, moving.overview, _UPDATE_PERIOD_S)

        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(self._updates(answer), media_type="text/event-stream", headers=headers)

    async def _updates(self, answer: Callable[[], Any]) -> AsyncIterator[str]:
        """Yield the overview of a run whenever it has changed, about once per second."""
        sent = None
        while not self._is_ending():
            try:
                now = await to_thread.run_sync(answer)
            except EventLogError as error:
                yield _event("problem", str(error))
                return
            if now is not sent:
                yield _event("overview", now)
                sent = now
            waited_s = 0.0
            while waited_s < _UPDATE_PERIOD_S and not self._is_ending():
                await anyio.sleep(_CHECK_PERIOD_S)
                waited_s += _CHECK_PERIOD_S


def _seconds(text: str | None) -> float | None:
    """Read a moment.

    Raises:
        ValueError: It is not one.
    """
    if text is None:
        return None
    if not 0 <= (value := float(text)) < _MAX_MOMENT_S:
        raise ValueError(text)
    return value


def _event(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


def _listed(run: RunOverview) -> dict[str, Any]:
    return {**vars(run), "name": os.path.basename(run.run_dir)}


def _no_such_run(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"There is no run {error.args[0]!r}."}, status_code=404)


def _unreadable(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=409)
