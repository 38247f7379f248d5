from typing import Any

import pytest

from exposer.openapi.base import base_path, to_document
from exposer.openapi.model import DocumentError


def servers(*urls: Any) -> dict[str, Any]:
    return {"openapi": "3.0.3", "servers": [{"url": url} for url in urls]}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/api", "/api"),
        ("/api/", "/api"),
        ("/", ""),
        ("", ""),
        ("https://demo.example/api/v1?x=1#y", "/api/v1"),
        ("http://localhost:3000", ""),
        ("//host.example/api", "/api"),
        ("localhost:3000/api", "/api"),
        ("http://localhost//api//v2/", "/api/v2"),
        ("/v1.56", "/v1.56"),
        ("xxx", ""),
        ("api", ""),
        ("./api", ""),
        ("ws://host/api", ""),
        ("https://", ""),
        ("http://[bad/api", ""),
        (5, ""),
        (None, ""),
    ],
)
def test_the_base_path_is_the_path_of_the_server(url: Any, path: str) -> None:
    assert base_path(servers(url)) == path


@pytest.mark.parametrize(
    ("url", "location", "path"),
    [
        ("api", "/openapi.json", "/api"),
        ("./api", "/docs/openapi.json", "/docs/api"),
        ("../api", "/docs/openapi.json", "/api"),
        (".", "/api/openapi.json", "/api"),
        ("/api", "/docs/openapi.json", "/api"),
        ("", "/docs/openapi.json", ""),
        ("xxx", "/openapi.json", ""),
        ("../../../etc", "/docs/openapi.json", "/etc"),
    ],
)
def test_a_relative_server_is_resolved_where_the_document_is(url: str, location: str, path: str) -> None:
    assert base_path(servers(url), location) == path


def test_variables_are_filled_with_their_defaults() -> None:
    server = {
        "url": "{scheme}://{host}:{port}/{path}/{version}",
        "variables": {
            "scheme": {"default": "https"},
            "host": {"default": ""},
            "port": {"default": 443},
            "path": {"default": "api"},
            "version": {"enum": ["v2", "v1"]},
        },
    }
    assert base_path({"openapi": "3.0.0", "servers": [server]}) == "/api/v2"


def test_a_variable_may_hold_a_whole_address() -> None:
    server = {"url": "{server}/api/v1", "variables": {"server": {"default": "http://localhost:5055"}}}
    assert base_path({"openapi": "3.0.0", "servers": [server]}) == "/api/v1"


def test_a_server_that_cannot_be_understood_is_passed_over() -> None:
    open_variable = {"url": "https://{host}/nope"}
    assert base_path({"openapi": "3.0.0", "servers": ["?", open_variable, {"url": "xxx"}, {"url": "/api"}]}) == "/api"


@pytest.mark.parametrize("missing", [None, {}, [], "https://x/y"])
def test_without_servers_there_is_no_base_path(missing: Any) -> None:
    assert base_path({"openapi": "3.0.0", "servers": missing}) == ""


def test_swagger_2_has_a_base_path_and_its_host_does_not_count() -> None:
    data = {"swagger": "2.0", "host": "public.example", "schemes": ["https"], "servers": [{"url": "/no"}]}
    assert base_path(data) == ""
    assert base_path({**data, "basePath": "/api/v1/"}) == "/api/v1"
    assert base_path({**data, "basePath": "api"}) == "/api"
    assert base_path({**data, "basePath": "/"}) == ""
    assert base_path({**data, "basePath": None}) == ""


@pytest.mark.parametrize(
    "path",
    [
        "/a/../b",
        "/a b",
        '/a"b',
        "/a;b",
        "/a$b",
        "/a\nb",
        "/a%2e%2e/b",
        "/a{b",
        "/日本",
        "/a/./b",
        "/a\\b",
        "/a..b",
    ],
)
def test_a_base_path_that_is_not_a_plain_path_is_refused(path: str) -> None:
    with pytest.raises(DocumentError, match="server's path"):
        base_path({"swagger": "2.0", "basePath": path})


@pytest.mark.parametrize("url", ["/a/../b", "/a\tb", "https://h.example/a;b", "/a..b"])
def test_a_server_whose_path_is_not_plain_is_refused(url: str) -> None:
    with pytest.raises(DocumentError, match="server's path"):
        base_path(servers(url, "/good"))


@pytest.mark.parametrize(
    ("key", "given", "spec"),
    [
        ("swagger", 2.0, "2.0"),
        ("swagger", "2.0", "2.0"),
        ("openapi", 3.1, "3.1.0"),
        ("openapi", "3.0", "3.0.0"),
        ("openapi", "3.2.0", "3.2.0"),
        ("openapi", "3.9.1-rc1", "3.9.1-rc1"),
    ],
)
def test_the_version_is_text_even_where_yaml_read_a_number(key: str, given: Any, spec: str) -> None:
    document = to_document({key: given, "paths": {}}, "test")
    assert document.spec == spec
    assert document.data["openapi"] == "3.1.0"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "not an object"),
        ("404 page not found", "not an object"),
        ({}, "neither"),
        ({"openapi": None, "paths": {}}, "neither"),
        ({"openapi": True, "paths": {}}, "neither"),
        ({"swagger": "1.2", "paths": {}}, "not supported"),
        ({"openapi": "2.0", "paths": {}}, "not supported"),
        ({"openapi": "4.0.0", "paths": {}}, "not supported"),
        ({"openapi": "3.1.0", "webhooks": {}}, 'no "paths"'),
        ({"openapi": "3.1.0", "paths": []}, 'no "paths"'),
        ({"openapi": "3.1.0", "paths": {}, "servers": [{"url": "/.."}]}, "/spec: the server's path"),
    ],
)
def test_what_is_not_openapi_is_told_apart(data: Any, says: str) -> None:
    with pytest.raises(DocumentError, match=says) as caught:
        to_document(data, "/spec")
    assert caught.value.hint
    assert caught.value.message.startswith("/spec: ")


def test_the_digest_is_of_the_meaning_and_not_of_the_order() -> None:
    one = to_document({"openapi": "3.0.0", "paths": {"/a": {}, "/b": {}}}, "test")
    two = to_document({"paths": {"/b": {}, "/a": {}}, "openapi": "3.0.0"}, "elsewhere")
    three = to_document({"openapi": "3.0.0", "paths": {"/a": {}, "/c": {}}}, "test")
    assert one.digest == two.digest != three.digest
    assert len(one.digest) == 64
