"""The Open Inference Protocol over HTTP, as Triton's clients speak it (spec 8.5).

JSON, and the binary tensor data extension. Errors have the protocol's form, `{"error": "..."}`.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from pipeline_widgets.domain.endpoint import FIELDS
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.serving import binary_tensors, open_inference
from pipeline_widgets.serving.auth import Authenticator, ServedState
from pipeline_widgets.serving.open_inference import SHOWN, ModelPath, abbreviate
from pipeline_widgets.serving.payload import (
    OK,
    RequestError,
    invalid_input,
    json_response,
    not_answered,
    parse_object,
    read_raw,
)
from pipeline_widgets.serving.queue import LoadedVersion, PredictionQueue

NOT_READY = 503
EXTENSIONS = ("binary_tensor_data", "model_configuration")

_log = logging.getLogger(__name__)


class OpenInferenceRoutes:
    """The handlers of the Open Inference Protocol."""

    def __init__(self, live: ServedState, guard: Authenticator, queue: PredictionQueue) -> None:
        self._live, self._guard, self._queue = live, guard, queue

    # ---- for everybody

    async def server(self, _: Request) -> Response:
        """Describe this server."""
        return json_response({"name": "pipeline_widgets", "version": "2", "extensions": EXTENSIONS})

    async def alive(self, _: Request) -> Response:
        """Answer that the server lives."""
        return json_response({"live": True})

    async def ready(self, _: Request) -> Response:
        """Answer whether the agent can be asked, and is not stuck at a request."""
        ready = self._queue.is_ready(self._live.opened)
        return json_response({"ready": ready}, OK if ready else NOT_READY)

    # ---- with the key

    async def model(self, request: Request) -> Response:
        """Answer with readiness, metadata, configuration or inference of the agent."""
        opened = self._live.opened
        path = open_inference.model_path(request.path_params["path"], opened.agent)
        if path.action != "ready":
            await self._guard.authorize(request)
        _check_named(path, opened)
        if (request.method == "POST") != (path.action == "infer"):
            raise not_answered(request, "POST" if path.action == "infer" else "GET")
        match path.action:
            case "ready":
                ready = self._queue.is_ready(opened)
                return json_response({"name": opened.agent, "ready": ready}, OK if ready else NOT_READY)
            case "infer":
                return await self._infer(opened, request)
            case "config":
                return json_response(open_inference.describe_config(await self._metadata(opened)))
            case None:
                return json_response(await self._metadata(opened))

    async def _metadata(self, opened: LoadedVersion) -> dict[str, Any]:
        takes, returns = FIELDS[opened.route]
        inputs, outputs = open_inference.describe_model(opened.example, takes), []
        if opened.predict is not None and opened.example is not None:
            try:
                found = await self._queue.ask(opened, opened.example)
                outputs = open_inference.describe_model(json.loads(found), returns)
            except RequestError:  # its example does not work, so that its outputs are unknown
                _log.warning("The agent does not answer its own example.")
        told = {"name": opened.agent, "versions": [str(opened.version)], "platform": opened.algorithm}
        return {**told, "inputs": inputs, "outputs": outputs}

    async def _infer(self, opened: LoadedVersion, request: Request) -> Response:
        takes, returns = FIELDS[opened.route]
        raw = await read_raw(request)
        try:
            head, binary = binary_tensors.split_body(raw, request.headers.get(binary_tensors.JSON_LENGTH))
            sent = await parse_object(head, request)
            body = await to_thread.run_sync(binary_tensors.attach_data, sent, binary)
        except PipelineError as error:
            raise RequestError(400, error.what, error.why, error.fix) from error
        try:
            identity, names = open_inference.get_request_id(body), open_inference.get_requested_outputs(body)
            value = await to_thread.run_sync(open_inference.read_inputs, body, opened.example, takes)
            found = await self._queue.ask(opened, value)
            outputs = await to_thread.run_sync(_outputs, found, returns, names)
        except PipelineError as error:
            raise invalid_input(error) from error
        told = {"model_name": opened.agent, "model_version": str(opened.version), **identity}
        listed, data = await to_thread.run_sync(binary_tensors.encode_outputs, body, outputs)
        if data is None:
            return json_response({**told, "outputs": listed})
        content, headers = binary_tensors.join_body({**told, "outputs": listed}, data)
        return Response(content, OK, headers)


def _outputs(found: bytes, name: str, asked: tuple[str, ...]) -> list[dict[str, Any]]:
    return open_inference.select_outputs(open_inference.build_outputs(json.loads(found), name), asked)


def _check_named(path: ModelPath, opened: LoadedVersion) -> None:
    """Refuse a request for a model or a version that is not served here."""
    if path.name != opened.agent:
        raise RequestError(
            404, f"There is no model {abbreviate(path.name)} here.", f"This is {opened.agent!r}."
        )
    if path.version not in {None, str(opened.version)}:
        what = f"Version {str(path.version)[:SHOWN]} of {opened.agent!r} is not served."
        raise RequestError(404, what, f"Version {opened.version} is.")
