"""What of a container must not change while it is relied on."""

import copy
from typing import Any

import pytest

from exposer.engine.seal import changes, seal

ATTRS: dict[str, Any] = {
    "Image": "sha256:aa",
    "Config": {"User": "1000"},
    "HostConfig": {
        "NetworkMode": "inner",
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
        "CapDrop": ["NET_RAW"],
        "RestartPolicy": {"Name": "no"},
    },
    "NetworkSettings": {"Networks": {"inner": {"IPAddress": "172.18.0.2"}}},
    "Mounts": [{"Type": "bind", "Source": "/data", "Destination": "/data", "RW": False}],
}


def changed(where: tuple[str, ...], value: object) -> str:
    """What is said after one change."""
    after = copy.deepcopy(ATTRS)
    place = after
    for name in where[:-1]:
        place = place[name]
    place[where[-1]] = value
    return changes(seal(ATTRS), seal(after))


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("Image",), "sha256:bb", "image: sha256:bb instead of sha256:aa"),
        (("NetworkSettings", "Networks", "bridge"), {}, "networks: bridge, inner instead of inner"),
        (("HostConfig", "PortBindings"), {"80/tcp": [{"HostIp": "", "HostPort": "80"}]}, "*:80->80/tcp"),
        (("HostConfig", "PublishAllPorts"), True, "ports: 127.0.0.1:8080->80/tcp, all"),
        (("HostConfig", "Privileged"), True, "privileges: -NET_RAW, privileged, user 1000"),
        (("HostConfig", "CapAdd"), ["SYS_ADMIN"], "+SYS_ADMIN"),
        (("HostConfig", "PidMode"), "host", "PidMode=host"),
        (("HostConfig", "RestartPolicy"), {"Name": "always"}, "restart: always instead of no"),
        (("Mounts",), [], "mounts: none instead of /data:/data:ro"),
    ],
)
def test_a_change_is_named(where: tuple[str, ...], value: object, said: str) -> None:
    assert said in changed(where, value)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("NetworkSettings", "Networks", "inner"), {"IPAddress": "172.18.0.9", "EndpointID": "other"}),
        (("NetworkSettings", "Ports"), {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49153"}]}),
        (("State",), {"Pid": 7, "StartedAt": "later"}),
        (("Mounts",), list(reversed(ATTRS["Mounts"]))),
    ],
)
def test_what_another_start_changes_is_no_change(where: tuple[str, ...], value: object) -> None:
    assert changed(where, value) == ""


def test_what_was_not_known_before_is_no_change() -> None:
    assert changes({}, seal(ATTRS)) == ""
