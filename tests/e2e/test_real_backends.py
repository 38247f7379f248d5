"""Real backends from PyPI and WeLink's own document, from start to a call through the gateway."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.exposure import REPOSITORY, Exposure
from tests.support.ports import free_port

VENV = Path(os.environ.get("EXPOSER_TEST_BACKENDS", REPOSITORY / ".venv-backends")) / "bin"
DATA = Path(os.environ.get("EXPOSER_TEST_DATA", REPOSITORY.parent / "shared" / "data" / "openapi"))
pytestmark = pytest.mark.nginx


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        not (VENV / program).exists(), reason=f"{program} is not in {VENV} (scripts/setup_backends)"
    )


def config(command: list[str], port: int, health: str, openapi: str, env: str = "{}") -> str:
    return f"""
engine = "process"
[backend]
command = {json.dumps(command)}
port = {port}
health = "{health}"
openapi = "{openapi}"
env = {env}
start_timeout = "90s"
[tunnel]
provider = "local"
[limits]
rate = "6000/min"
"""


ALL_READS = '[schema]\ninclude = ["GET /**"]\nmax_operations = 0\n'


def document_of(exposure: Exposure) -> dict:
    return json.loads(exposure.run("schema", "show").stdout)


@needs("gunicorn")
def test_httpbin_with_its_swagger_document(make_exposure: Callable[..., Exposure]) -> None:
    port = free_port()
    command = [str(VENV / "gunicorn"), "-b", f"127.0.0.1:{port}", "--threads", "4", "httpbin:app"]
    exposure = make_exposure(config(command, port, "/get", "/spec.json") + ALL_READS)
    exposure.up()
    document = document_of(exposure)
    assert document["openapi"].startswith("3.1.")
    assert [server["url"].rstrip("/") for server in document["servers"]] == [exposure.url]
    assert {method for item in document["paths"].values() for method in item} == {"get"}
    answer = exposure.get("/get?q=%20a%2Bb&x=", headers={"Origin": "https://evil.example", "Cookie": "a=b"})
    assert answer.json()["args"] == {"q": " a+b", "x": ""}
    assert not {"X-Api-Key", "Origin", "Cookie", "Authorization"} & set(answer.json()["headers"])
    for status in (200, 204, 301, 404, 418, 503):
        found = exposure.get(f"/status/{status}") if status != 301 else None
        assert found is None or found.status == status
    assert len(exposure.get("/bytes/99999").body) == 99_999
    assert exposure.get("/bytes/100000").status == 413  # ChatGPT would refuse it
    assert exposure.get("/post", method="POST").status == 404


@needs("kinto")
def test_kinto_whose_document_names_the_host_it_was_asked_by(make_exposure: Callable[..., Exposure]) -> None:
    port = free_port()
    exposure = make_exposure(config(["true"], port, "/v1/__heartbeat__", "/v1/__api__"))
    ini = exposure.folder / "kinto.ini"
    memory = ["--backend", "memory", "--cache-backend", "memory"]
    subprocess.run(
        [VENV / "kinto", "init", "--ini", ini, "--host", "127.0.0.1", *memory], check=True, capture_output=True
    )
    command = [str(VENV / "kinto"), "start", "--ini", str(ini), "--port", str(port)]
    exposure.write(config(command, port, "/v1/__heartbeat__", "/v1/__api__"))
    exposure.up()
    assert document_of(exposure)["servers"] == [{"url": f"{exposure.url}/v1"}]
    assert exposure.get("/v1/").json()["project_name"] == "kinto"
    assert exposure.get("/v1/", key="").status == 401


@needs("chroma")
@pytest.mark.slow
def test_chromadb_with_an_openapi_3_1_document(make_exposure: Callable[..., Exposure]) -> None:
    port = free_port()
    command = [str(VENV / "chroma"), "run", "--host", "127.0.0.1", "--port", str(port), "--path", "data"]
    exposure = make_exposure(
        config(command, port, "/api/v2/heartbeat", "/openapi.json", '{ ANONYMIZED_TELEMETRY = "False" }')
    )
    exposure.up()
    assert document_of(exposure)["servers"] == [{"url": exposure.url}]
    assert "nanosecond heartbeat" in exposure.get("/api/v2/heartbeat").json()
    assert exposure.get("/api/v2/reset", method="POST").status == 404


@pytest.mark.skipif(not (DATA / "welink.json").exists(), reason="the folder of real documents is not there")
def test_welink_with_its_own_document_and_a_backend_that_answers_for_it(make_exposure: Callable[..., Exposure]) -> None:
    port = free_port()
    server = REPOSITORY / "tests" / "support" / "answers_everything.py"
    command = [sys.executable, str(server), str(DATA / "welink.json"), "/api/swagger.json"]
    exposure = make_exposure(config(command, port, "/api/health", "/api/swagger.json"))
    said = exposure.up()
    assert (said["schema"]["operations"], said["schema"]["published"]) == (130, 20)
    document = document_of(exposure)
    assert document["servers"] == [{"url": f"{exposure.url}/api"}]
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids)) == 20
    assert {"get_contact_stats", "search_messages", "get_status"} <= set(ids)
    for path in document["paths"]:
        call = "/api" + path.replace("{", "").replace("}", "")
        answer = exposure.get(call + "?limit=3")
        assert (answer.status, answer.json()["asked"]) == (200, f"GET {call}?limit=3")
    for method, path in (("POST", "/api/app/restart"), ("GET", "/api/databases"), ("DELETE", "/api/skills/1")):
        assert exposure.get(path, method=method).status == 404
    assert exposure.get("/status").status == 404
