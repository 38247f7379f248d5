"""Each kind has its backend, and only a change of what runs changes its digest."""

import dataclasses

import pytest

from exposer.backends import KINDS, make
from exposer.backends.docker import checked_volumes
from exposer.backends.link import render_config
from exposer.backends.linked import published
from exposer.config.model import Backend, SecretRef, UpstreamAuth
from exposer.errors import ConfigError, MissingError
from exposer.secret import Secret

CONFIG = Backend(kind="image", image="demo:1", port=8080, env={"A": "1", "B": SecretRef("env", "B")})


def digest(config: Backend, name: str = "demo") -> str:
    return make(config, name=name, state_dir="/s", runtime_dir="/r", resolve=lambda ref: Secret("x")).digest


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_a_backend(kind: str) -> None:
    part = make(
        Backend(kind=kind, command=("x",), url="http://127.0.0.1:1/", port=1),
        name="demo",
        state_dir="/s",
        runtime_dir="/r",
        resolve=lambda ref: Secret("x"),
    )
    assert part.role == "backend"
    assert part.upstream in ("unix:/r/gateway/up/backend.sock", "http://127.0.0.1:1")


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ConfigError, match="swarm"):
        digest(Backend(kind="swarm"))


@pytest.mark.parametrize(
    "change",
    [
        {"image": "demo:2"},
        {"port": 81},
        {"env": {"A": "2", "B": SecretRef("env", "B")}},
        {"env": {"A": "1", "B": SecretRef("env", "C")}},
        {"internet": True},
        {"memory": 1},
        {"volumes": ("/a:/b",)},
    ],
)
def test_what_runs_is_in_the_digest(change: dict[str, object]) -> None:
    assert digest(dataclasses.replace(CONFIG, **change)) != digest(CONFIG)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"health": "/other"},
        {"openapi": "/other.json"},
        {"start_timeout": 1.0},
        {"auth": UpstreamAuth("X-Key", SecretRef("env", "K"))},
        {"env": {"B": SecretRef("env", "B"), "A": "1"}},
    ],
)
def test_how_it_is_asked_restarts_nothing(change: dict[str, object]) -> None:
    assert digest(dataclasses.replace(CONFIG, **change)) == digest(CONFIG)  # type: ignore[arg-type]


def test_two_exposures_of_the_same_backend_are_two() -> None:
    assert digest(CONFIG, "one") != digest(CONFIG, "two")


def test_ports_published_beyond_the_loopback_are_named() -> None:
    ports = {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
        "81/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8081"}],
        "82/tcp": None,
        "83/tcp": [{"HostIp": "", "HostPort": "8083"}],
    }
    assert published({"NetworkSettings": {"Ports": ports}}) == ["0.0.0.0:8080", "0.0.0.0:8083", ":::8080"]
    assert published({}) == []


def test_a_named_volume_needs_no_folder_but_a_path_does() -> None:
    assert checked_volumes(("data:/data", "/:/x:ro")) == ["data:/data", "/:/x:ro"]
    with pytest.raises(MissingError, match="/nowhere-at-all"):
        checked_volumes(("/nowhere-at-all:/data",))


def test_the_link_logs_no_requests_and_listens_on_its_socket_only() -> None:
    text = render_config(8080, root=False)
    assert "access_log off;" in text
    assert [line.split() for line in text.splitlines() if " listen " in line] == [["listen", "unix:/up/backend.sock;"]]
    assert "server 127.0.0.1:8080 " in text
    assert "user root" not in text
    assert "user root root;" in render_config(8080, root=True)
