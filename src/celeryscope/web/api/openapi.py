"""The OpenAPI 3.1 document of our API, made from the operations and their Structs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from celeryscope.web.api import console, control
from celeryscope.web.errors import ProblemBody

_REF = "#/components/schemas/{name}"
_EXTRA = (console.LiveHello, console.LiveFrame)
_PATH_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")

Json = dict[str, Any]


def document(
    operations: Mapping[str, console.Operation[Any]],
    changes: Mapping[str, control.Change[Any]],
    *,
    version: str,
    base: str,
) -> Json:
    """Describe what is asked for (GET) and changed (POST), by path, served below `base`."""
    kinds = [operation.response for operation in operations.values()]
    kinds += [kind for change in changes.values() for kind in (change.body, change.response)]
    queries = {operation.query for operation in operations.values()} | {console.LiveQuery}
    every = [*kinds, *queries, *_EXTRA, ProblemBody]
    _, schemas = msgspec.json.schema_components(every, ref_template=_REF)
    parameters = {kind: _query_parameters(schemas.pop(kind.__name__)) for kind in queries}
    paths: dict[str, Json] = {}
    for path, operation in operations.items():
        paths.setdefault(_shown(path), {})["get"] = _operation(path, operation, parameters)
    for path, change in changes.items():
        paths.setdefault(_shown(path), {})["post"] = _change(path, change)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Celeryscope",
            "version": version,
            "summary": "See and steer Celery.",
            "description": "Times are epoch seconds; durations are seconds.",
        },
        "servers": [{"url": base}],
        "paths": {
            **paths,
            "/live": {"get": _live(parameters[console.LiveQuery])},
            "/openapi.json": {"get": _itself()},
        },
        "components": {"schemas": schemas},
    }


def _shown(path: str) -> str:
    return _PATH_PARAMETER.sub(r"{\1}", path)


def _in_path(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PATH_PARAMETER.findall(path)
    ]


def _query_parameters(schema: Json) -> list[Json]:
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": described.pop("description", ""),
            "schema": described,
        }
        for name, described in schema["properties"].items()
    ]


def _operation(
    path: str,
    operation: console.Operation[Any],
    parameters: Mapping[type[msgspec.Struct], list[Json]],
) -> Json:
    in_path = _in_path(path)
    responses = {"200": _json("The answer.", operation.response), "400": _problem("Bad argument.")}
    if in_path:
        responses["404"] = _problem("Not known here.")
    if operation.refusal:
        responses["409"] = _problem(operation.refusal)
    return {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": in_path + parameters[operation.query],
        "responses": responses | _ALWAYS,
    }


def _change(path: str, change: control.Change[Any]) -> Json:
    body = {"$ref": _REF.format(name=change.body.__name__)}
    responses = {
        str(change.status): _json("The answer.", change.response),
        "400": _problem("Something in the body cannot be used."),
        "403": _problem("The role does not allow it, or the console is read-only."),
        "404": _problem("Not known here."),
        "413": _problem("The body is too large."),
        "415": _problem("The body is no JSON."),
    }
    if change.refusal:
        responses["409"] = _problem(change.refusal)
    return {
        "operationId": change.id,
        "summary": change.summary,
        "parameters": _in_path(path),
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": responses | _ALWAYS,
    }


def _json(description: str, kind: type[msgspec.Struct]) -> Json:
    schema = {"$ref": _REF.format(name=kind.__name__)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _problem(description: str) -> Json:
    return _json(description, ProblemBody)


_ALWAYS = {
    "500": _problem("A fault of the server; its log tells more."),
    "503": _problem("This cannot be told right now."),
}


def _live(parameters: list[Json]) -> Json:
    stream = {
        "description": (
            "Server-sent events: `event: hello` with a LiveHello, then `event: frame` with a "
            "LiveFrame, at most four a second, each with what changed since the one before."
        ),
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
    return {
        "operationId": "live",
        "summary": "Follow what changes.",
        "parameters": parameters,
        "responses": {"200": stream, "400": _problem("Bad argument.")} | _ALWAYS,
    }


def _itself() -> Json:
    return {
        "operationId": "openapi",
        "summary": "Read this document.",
        "parameters": [],
        "responses": {
            "200": {
                "description": "OpenAPI 3.1.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
        },
    }
