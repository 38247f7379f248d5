"""Relative places belong to the config's folder, and nothing dangerous is mounted."""

import pytest

from exposer.config.load import load, parse
from exposer.config.model import SecretRef
from tests.unit.config.reading import HERE, LEAST, backend, backend_problem, problem


def test_relative_places_belong_to_the_folder_of_the_file(tmp_path):
    (tmp_path / "mine").mkdir()
    path = tmp_path / "exposer.toml"
    path.write_text(
        'name = "x"\n[backend]\nbuild = "sub/../app"\nport = 80\nopenapi = "docs/api.yaml"\n'
        'env = { T = "file:t.key" }\n[tunnel]\nidentity = "id"\nknown_hosts = "./hosts"\nbinary = "bin/x"\n'
        '[gateway]\ntemplates = "mine"\nbinary = "nginx"\n'
    )
    config = load(path)
    assert config.backend.build == f"{tmp_path}/app"
    assert config.backend.openapi == f"file:{tmp_path}/docs/api.yaml"
    assert config.backend.env["T"] == SecretRef("file", f"{tmp_path}/t.key")
    assert config.tunnel.identity == f"{tmp_path}/id"
    assert config.tunnel.known_hosts == f"{tmp_path}/hosts"
    assert config.tunnel.binary == f"{tmp_path}/bin/x"
    assert config.gateway.templates == f"{tmp_path}/mine"
    assert config.gateway.binary == "nginx"


def test_the_home_folder_may_be_written_as_a_tilde(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert parse(f'{LEAST}[tunnel]\nidentity = "~/.ssh/id"\n', HERE).tunnel.identity == "/home/me/.ssh/id"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/api/openapi.json", "/api/openapi.json"),
        ("https://x.example/o.json?v=1", "https://x.example/o.json?v=1"),
        ("openapi.json", "file:/srv/app/openapi.json"),
        ("../o.yaml", "file:/srv/o.yaml"),
        ("file:/etc/o.yaml", "file:/etc/o.yaml"),
        ("file:o.yaml", "file:/srv/app/o.yaml"),
    ],
)
def test_the_document_is_a_path_on_the_backend_a_url_or_a_file(written, meant):
    assert backend(f'openapi = "{written}"').openapi == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("./data:/data", "/srv/app/data:/data"),
        (".:/data:ro", "/srv/app:/data:ro"),
        ("../x:/data:rw", "/srv/x:/data:rw"),
        ("sub/dir:/data", "/srv/app/sub/dir:/data"),
        ("my.file:/data", "/srv/app/my.file:/data"),
        ("/opt/x:/data", "/opt/x:/data"),
        ("cache:/data", "cache:/data"),
        ("my_cache-2:/data:ro", "my_cache-2:/data:ro"),
    ],
)
def test_a_volume_is_a_place_or_a_name(written, meant):
    assert backend(f'volumes = ["{written}"]').volumes == (meant,)


def test_a_symlink_is_no_way_to_mount_the_whole_machine_or_the_engines_socket(tmp_path):
    (tmp_path / "all").symlink_to("/")
    (tmp_path / "engine").symlink_to("/run/docker.sock")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "podman.sock").touch()
    for source in ("all", "engine", "mine"):
        assert "must not mount" in backend_problem(f'volumes = ["./{source}:/x"]', tmp_path / "exposer.toml")


def test_a_command_runs_in_the_folder_of_the_file():
    text = 'name = "x"\n[backend]\ncommand = ["{}", "./arg", "--n=1", ""]\nport = 80\n'
    config = parse(text.format("python3"), HERE)
    assert config.backend.cwd == "/srv/app"
    assert config.backend.command == ("python3", "./arg", "--n=1", "")
    assert parse(text.format("./run.sh"), HERE).backend.command[0] == "/srv/app/run.sh"
    assert parse(LEAST, HERE).backend.cwd == ""


@pytest.mark.parametrize("command", ["[]", '[""]', '["-x"]', '"run it"', "[1]", '["a", "b\\u0000"]'])
def test_a_command_is_a_list_that_begins_with_a_program(command):
    assert "backend.command" in problem(f'name = "x"\n[backend]\ncommand = {command}\nport = 80\n')
