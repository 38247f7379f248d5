"""What may not change of a container while we rely on it: its image, networks, ports, privileges, mounts. Pure."""

from collections.abc import Mapping
from typing import Any

Seal = Mapping[str, list[str]]


def seal(attrs: Mapping[str, Any]) -> dict[str, list[str]]:
    """As the engine tells it of a running container. What another start of it may change is not in it."""
    host: Mapping[str, Any] = attrs.get("HostConfig") or {}
    networks: Mapping[str, Any] = (attrs.get("NetworkSettings") or {}).get("Networks") or {}
    return {
        "image": [str(attrs.get("Image") or "")],
        "networks": sorted(networks) or [str(host.get("NetworkMode") or "")],
        "ports": _ports(host),
        "privileges": _privileges(host, attrs.get("Config") or {}),
        "mounts": sorted(_mount(mount) for mount in attrs.get("Mounts") or ()),
        "restart": [str((host.get("RestartPolicy") or {}).get("Name") or "no")],
    }


def changes(known: Seal, seen: Seal) -> str:
    """What is not as it was, as part of a sentence; "" when all is. What was not looked at before says nothing."""
    found = [
        f"{what}: {', '.join(seen.get(what, ())) or 'none'} instead of {', '.join(was) or 'none'}"
        for what, was in known.items()
        if list(was) != list(seen.get(what, ()))
    ]
    return "; ".join(found)


def _ports(host: Mapping[str, Any]) -> list[str]:
    """The ports that were asked for: those that the engine chooses by itself are others after each start."""
    bound = host.get("PortBindings") or {}
    found = [
        f"{one.get('HostIp') or '*'}:{one.get('HostPort') or 'any'}->{port}"
        for port, bindings in bound.items()
        for one in bindings or ()
    ]
    return sorted([*found, *(["all"] if host.get("PublishAllPorts") else [])])


def _privileges(host: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    found = ["privileged"] if host.get("Privileged") else []
    found += [f"+{name}" for name in host.get("CapAdd") or ()] + [f"-{name}" for name in host.get("CapDrop") or ()]
    found += [f"device {one.get('PathOnHost')}" for one in host.get("Devices") or ()]
    found += [str(option) for option in host.get("SecurityOpt") or ()]
    for mode in ("PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode"):
        found += [f"{mode}={host[mode]}"] if host.get(mode) else []
    return sorted([*found, *([f"user {config['User']}"] if config.get("User") else [])])


def _mount(mount: Mapping[str, Any]) -> str:
    """A volume without a name of its own is another one in each container."""
    source = mount.get("Source") if mount.get("Type") == "bind" else mount.get("Type")
    return f"{source}:{mount.get('Destination')}:{'rw' if mount.get('RW') else 'ro'}"
