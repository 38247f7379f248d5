"""What the document says about single calls is what the gateway of a whole exposure enforces."""

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.support.echo import Echo
from tests.support.eventually import eventually
from tests.support.exposure import Exposure

pytestmark = pytest.mark.nginx

OK = {"responses": {"200": {"description": "fine"}}}
NEEDED = {"name": "OCS-APIRequest", "in": "header", "required": True, "schema": {"type": "boolean", "default": True}}
PATHS: dict[str, Any] = {
    "/notes": {"get": {**OK, "parameters": [{"name": "say", "in": "query", "schema": {"type": "string"}}, NEEDED]}},
    "/tree/{path}": {
        "parameters": [
            {"name": "path", "in": "path", "required": True, "schema": {"type": "string"}, "x-multi-segment": True}
        ],
        "get": OK,
    },
    "/tree/admin/{key}": {"get": OK, "parameters": [{"name": "key", "in": "path", "required": True}]},
    "/odd;path": {"get": OK},
    "/large": {"get": {**OK, "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}]}},
}


def write(folder: Path, **more: Any) -> None:
    document = {"openapi": "3.1.0", "info": {"title": "Sample", "version": "1"}, "paths": PATHS, **more}
    (folder / "openapi.json").write_text(json.dumps(document))


def location(exposure: Exposure, path: str) -> str | None:
    """Where an answer points to, unfollowed."""
    connection = http.client.HTTPConnection(urlsplit(exposure.url).netloc, timeout=10)
    try:
        connection.request("GET", path, headers={"X-API-Key": exposure.key})
        response = connection.getresponse()
        response.read()
        return response.getheader("Location")
    finally:
        connection.close()


def test_parameters_headers_and_redirects_of_a_whole_exposure(make_exposure: Callable[..., Exposure]) -> None:
    echo = Echo()
    try:
        exposure = make_exposure(f"""
engine = "process"
[backend]
url = "{echo.url}"
openapi = "openapi.json"
[tunnel]
provider = "local"
[schema]
strict = true
include = ["GET /notes", "GET /tree/{{path}}", "GET /odd;path", "GET /large"]
""")
        write(exposure.folder, servers=[{"url": "https://own.example.com/"}])
        exposure.up()
        assert exposure.get("/notes", headers={"OCS-APIRequest": "mine"}).status == 200
        assert any(head.startswith(b"GET /notes ") and b"OCS-APIRequest: true\r\n" in head for head in echo.heads)
        assert exposure.get("/notes?other=1").status == 400
        assert exposure.get("/tree/a/b%2Fc").status == 200
        assert exposure.get("/tree/admin/a").status == exposure.get("/tree/admin%2Fa").status == 404
        for points, shown in (
            (f"{echo.url}/x", "/x"),
            ("https://own.example.com/y", "/y"),
            ("http://inside:8080/z", "/.exposer/nowhere"),
        ):
            assert location(exposure, f"/notes?say={quote(f'Location: {points}', safe='')}") == shown
        large = exposure.get("/large?limit=5")
        assert large.status == 413
        assert "use the parameters limit" in large.json()["detail"]
        exposure.file.write_text(f'{exposure.file.read_text()}[limits]\nresponse = "100MB"\n')
        eventually(lambda: exposure.get("/large").status == 200)
        listed = exposure.run("schema", "ops").stdout
        assert "no unambiguous request can have this path" in listed
    finally:
        echo.close()
