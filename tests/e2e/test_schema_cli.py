"""`exposer schema` as a person uses it: look, check, take away, see what has changed; with and without a daemon."""

import json
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import validate

from tests.support.eventually import eventually
from tests.support.exposure import Exposure, sample_config
from tests.support.ports import free_port

FILE = """
[backend]
url = "http://127.0.0.1:1"
openapi = "doc.json"
[schema]
max_operations = 0
"""
OK = {"responses": {"200": {"description": "fine"}}}


def document(*paths: str, **more: object) -> dict[str, object]:
    items = {path: {"get": OK} for path in paths}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Shop", "version": "1"},
        "paths": items | more,
        "servers": [{"url": "/api"}],
    }


@pytest.fixture
def offline(make_exposure) -> Exposure:
    """A document in a file, and nothing that runs."""
    exposure: Exposure = make_exposure(FILE)
    give(exposure, document("/items", "/parts"))
    return exposure


def give(exposure: Exposure, data: dict[str, object]) -> None:
    (exposure.folder / "doc.json").write_text(json.dumps(data))


def said(exposure: Exposure, *words: str, code: int = 0):
    """The answer as JSON; standard output holds nothing else."""
    done = exposure.run("schema", *words, "--json")
    assert done.returncode == code, done.stderr
    data = json.loads(done.stdout)
    assert data["schema"] == 1
    return data


def test_a_document_can_be_seen_before_anything_runs(offline: Exposure) -> None:
    done = offline.run("schema", "show")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    validate(data)
    assert data["servers"] == [{"url": "https://not-online.invalid/api"}]
    assert "placeholder" in done.stderr
    assert yaml.safe_load(offline.run("schema", "show", "--yaml").stdout) == data
    whole = said(offline, "show")
    assert (whole["client"], whole["pack"], whole["packs"], whole["document"]) == ("gpt-action", 1, 1, data)


@pytest.mark.parametrize(
    ("client", "key"), [("gpt-action", "openapi"), ("openapi", "openapi"), ("copilot", "swagger"), ("mcp", "tools")]
)
def test_any_client_can_be_asked_for(offline: Exposure, client: str, key: str) -> None:
    assert key in said(offline, "show", "--client", client)["document"]
    found = said(offline, "check", "--client", client)
    assert (found["client"], found["clean"], found["placeholder"]) == (client, True, True)


def test_a_client_that_nobody_knows_is_a_wrong_usage(offline: Exposure) -> None:
    assert offline.run("schema", "show", "--client", "siri").returncode == 2


def test_the_client_of_the_config_is_the_one(offline: Exposure) -> None:
    offline.write(FILE + 'client = "mcp"\n')
    assert "tools" in said(offline, "show")["document"]
    offline.write(FILE + 'client = "siri"\n')
    done = offline.run("schema", "show")
    assert done.returncode == 3
    assert "should be one of gpt-action, mcp, openapi, copilot" in done.stderr


def test_many_operations_become_packs_that_can_be_shown_and_exported(offline: Exposure) -> None:
    give(offline, document(*(f"/shop/p{number}" for number in range(65))))
    found = said(offline, "check")
    assert [pack["operations"] for pack in found["packs"]] == [30, 30, 5]
    assert {"packs", "hostnames"} <= {finding["step"] for finding in found["findings"]}
    second = said(offline, "show", "--pack", "2")
    assert len(second["document"]["paths"]) == 30
    wrong = offline.run("schema", "show", "--pack", "4")
    assert wrong.returncode == 2
    assert "there are 3 documents" in wrong.stderr
    folder = offline.folder / "out" / "deep"
    done = offline.run("schema", "export", str(folder))
    assert done.returncode == 0, done.stderr
    names = ["openapi.json", "openapi.2.json", "openapi.3.json"]
    assert done.stdout.split() == [str(folder / name) for name in names]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert json.loads((folder / names[1]).read_text()) == second["document"]


def test_a_folder_that_cannot_be_written_is_a_clear_error(offline: Exposure) -> None:
    Path(offline.folder, "file").write_text("x")
    done = offline.run("schema", "export", str(offline.folder / "file" / "out"))
    assert done.returncode == 1
    assert "cannot be written" in done.stderr


def test_check_names_each_change_with_the_message_that_it_prevents(offline: Exposure) -> None:
    body = {"required": True, "content": {"multipart/form-data": {"schema": {"type": "object"}}}}
    give(offline, document("/items", **{"/upload": {"post": {**OK, "requestBody": body}}}))
    offline.write(FILE + 'include = ["GET /items", "POST /upload"]\n')
    done = offline.run("schema", "check")
    assert done.returncode == 0, done.stderr
    assert "prevents: ('openapi',): Input should be '3.1.1' or '3.1.0'" in done.stdout
    assert "prevents: In path P, method M is missing operationId; skipping" in done.stdout
    assert "gpt-action would take it as it is" in done.stdout
    rows = {row["id"]: row for row in said(offline, "ops")["operations"]}
    assert rows["get_items"]["published"]
    assert not rows["post_upload"]["published"]
    assert "gpt-action could not call it: it needs a body" in rows["post_upload"]["why"]


def test_check_fails_when_something_is_left_that_the_importer_refuses(offline: Exposure) -> None:
    offline.write(FILE + 'include = ["GET /nothing"]\n')
    found = said(offline, "check", code=1)
    assert not found["clean"]
    assert found["refused"] == [{"pack": 1, "what": "No paths found in the OpenAPI spec"}]


def test_an_overlay_and_hints_are_applied(offline: Exposure) -> None:
    overlay = {
        "overlay": "1.0.0",
        "info": {"title": "mine", "version": "1"},
        "actions": [
            {"target": "$.paths['/items'].get", "update": {"x-exposer-name": "see_items", "description": "All items."}},
            {"target": "$.paths['/parts']", "update": {"x-exposer-hide": True}},
            {"target": "$.paths['/gone']", "remove": True},
        ],
    }
    (offline.folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    offline.write(FILE + 'overlay = "./overlay.yaml"\n')
    shown = offline.run("schema", "show")
    (item,) = json.loads(shown.stdout)["paths"].values()
    assert (item["get"]["operationId"], item["get"]["description"]) == ("see_items", "All items.")
    assert "overlay.yaml: action 3 ($.paths['/gone']) matches nothing" in said(offline, "check")["notes"]
    why = {row["id"]: row["why"] for row in said(offline, "ops")["operations"]}
    assert "x-exposer-hide" in why["get_parts"]
    (offline.folder / "overlay.yaml").write_text("actions: [")
    assert offline.run("schema", "show").returncode == 1
    (offline.folder / "overlay.yaml").unlink()
    assert "the overlay cannot be read" in offline.run("schema", "show").stderr


def test_nothing_was_published_yet(offline: Exposure) -> None:
    found = said(offline, "diff")
    assert (found["base"], found["paste"], found["added"]) == ("nothing", True, ["get_items", "get_parts"])


@pytest.mark.nginx
def test_what_is_published_is_checked_and_compared_while_it_is_online(make_exposure) -> None:
    port = free_port()
    exposure: Exposure = make_exposure(sample_config(port))
    exposure.up()
    folder = exposure.state / exposure.name / "schema"
    shown = exposure.run("schema", "show")
    assert "placeholder" not in shown.stderr
    assert shown.stdout.strip() == (folder / "openapi.json").read_text()
    found = said(exposure, "check", code=1)
    (refused,) = found["refused"]
    assert refused["what"].startswith("None of the provided servers is under the root origin")
    assert [finding["step"] for finding in found["findings"] if finding["remains"]] == ["server"]
    assert said(exposure, "check", "--client", "openapi")["clean"]
    same = said(exposure, "diff")
    assert (same["base"], same["paste"]) == ("taken", False)
    exposure.write(sample_config(port, '[schema]\nexclude = ["GET /notes/*"]\n'))
    eventually(lambda: len(json.loads((folder / "openapi.json").read_text())["paths"]) == 1, within=10)
    changed = said(exposure, "diff")
    assert (changed["paste"], len(changed["removed"]), changed["added"]) == (True, 1, [])
    assert "1 operation removed" in exposure.run("schema", "diff").stdout
    exposure.run("schema", "show")
    assert not said(exposure, "diff")["paste"]
