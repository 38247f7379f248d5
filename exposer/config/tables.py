"""Which keys each table of `exposer.toml` has, and the reader of each."""

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path

from exposer.config import places, references
from exposer.config.model import Standby
from exposer.config.values import (
    METHODS,
    Reader,
    argument,
    callers,
    choice,
    choices,
    duration,
    egress,
    flag,
    glob,
    header,
    hostname,
    key_header,
    many,
    matching,
    never_or_duration,
    number,
    origin,
    path_on_backend,
    rate,
    size,
    url,
    whole,
)

KINDS = ("image", "build", "container", "command", "url")
PROVIDERS = ("cloudflared", "ngrok", "ssh", "server", "local")
STANDBYS = ("cloudflared", "ngrok", "ssh")  # the others have no agent that could wait
SSH_SERVICES = ("localhost.run", "pinggy", "serveo")
ENGINES = ("auto", "docker", "process", "swarm")
LOGINS = ("api-key", "bearer", "basic", "oauth")
CLIENTS = ("gpt-action", "mcp", "openapi", "copilot")
TRIGGERS = ("auth-canary", "decoy-key", "egress", "tampered-container", "config-drift", "probing")
TOP = ""  # the keys that stand before the first table

NAME = matching(r"[a-z0-9][a-z0-9-]{0,30}", 'up to 31 small letters, digits and dashes, such as "my-api"')
WORD = matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "one word of letters, digits, '.', '_' and '-'")
USER = matching(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}", "a user's name on the server")
HOST = matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}|[0-9A-Fa-f:]{2,45}", "a host name or an address")
PORT = partial(whole, 1, 65535)

Table = Mapping[str, Reader]


def tables(folder: Path) -> dict[str, Table]:
    """Every table by its name; relative paths in the file belong to `folder`."""
    return {
        TOP: {
            "version": partial(whole, 1, 1),
            "name": NAME,
            "engine": partial(choice, ENGINES),
            "lease": duration,
        },
        "backend": _backend(folder),
        "backend.auth": {"header": header, "value": partial(references.reference, folder)},
        "tunnel": _tunnel(folder),
        "standby": _standby(folder),
        "auth": {
            "methods": partial(choices, LOGINS),
            "header": key_header,
            "grace": duration,
            "max_wait": duration,
            "rotate_every": duration,
            "master": partial(references.reference, folder),
        },
        "schema": {
            "client": partial(choice, CLIENTS),
            "methods": partial(choices, METHODS),
            "include": partial(many, glob),
            "exclude": partial(many, glob),
            "max_operations": partial(whole, 0, 100_000),
            "profile": WORD,
            "overlay": partial(places.file, folder),
            "strict": flag,
        },
        "limits": {
            "rate": rate,
            "total_rate": rate,
            "concurrency": partial(whole, 0, 65535),
            "total_concurrency": partial(whole, 0, 65535),
            "body": partial(size, 1),
            "timeout": duration,
            "response": partial(size, 1),
            "egress": egress,
            "allow_from": partial(many, callers),
        },
        "panic": {
            "backend": partial(choice, ("stop", "pause", "keep")),
            "on": partial(many, partial(choice, TRIGGERS)),
            "egress_factor": partial(number, 1, 1000),
            "probes": partial(whole, 1, 100_000),
        },
        "doors": {"openapi": flag, "mcp": flag, "privacy": flag},
        "notify": {
            "webhook": partial(many, partial(references.webhook, folder)),
            "secret": partial(references.reference, folder),
            "urls": partial(many, partial(references.reference, folder)),
            "desktop": flag,
        },
        "hooks": {"address_changed": partial(places.call, folder)},
        "audit": {
            "retain": duration,
            "max_size": partial(size, 1_000_000),
            "queries": flag,
            "on_full": partial(choice, ("report", "refuse")),
            "webhook": partial(many, url),
        },
        "gateway": {
            "templates": partial(places.existing_folder, folder),
            "port": partial(whole, 0, 65535),
            "image": argument,
            "binary": partial(places.program, folder),
        },
    }


def _backend(folder: Path) -> Table:
    return {
        "image": argument,
        "build": partial(places.file, folder),
        "container": matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}", "a container's name or id"),
        "command": partial(places.command, folder),
        "url": origin,
        "port": PORT,
        "volumes": partial(many, partial(places.volume, folder)),
        "env": partial(references.environment, folder),
        "internet": flag,
        "also_open": flag,
        "health": path_on_backend,
        "openapi": partial(places.document, folder),
        "start_timeout": duration,
        "memory": partial(size, 6 * 1024**2),  # less is refused by Docker
        "pids": partial(whole, 1, 1_000_000),
    }


def _tunnel(folder: Path) -> Table:
    return {
        "provider": partial(choice, PROVIDERS),
        "binary": partial(places.program, folder),
        "hostname": hostname,
        "token": partial(references.reference, folder),
        "credentials": partial(references.reference, folder),
        "api_token": partial(references.reference, folder),
        "traffic_policy": partial(places.file, folder),
        "service": partial(choice, SSH_SERVICES),
        "region": WORD,
        "protocol": partial(choice, ("auto", "quic", "http2")),
        "host": HOST,
        "user": USER,
        "port": PORT,
        "identity": partial(places.file, folder),
        "known_hosts": partial(places.file, folder),
        "remote_port": PORT,
        "url": origin,
        "tls": flag,
        "certificate": partial(places.file, folder),
        "key": partial(places.file, folder),
        "ca": partial(places.file, folder),
        "acme": url,
        "acme_ca": partial(places.file, folder),
        "acme_kid": WORD,
        "acme_key": partial(references.reference, folder),
        "dns_hook": partial(places.call, folder),
        "dns_wait": duration,
        "https_port": PORT,
        "http_port": PORT,
        "standby": partial(choice, STANDBYS),
    }


def _standby(folder: Path) -> Table:
    readers = _tunnel(folder)
    own = {"after": duration, "back": never_or_duration}
    return {**own, **{field.name: readers[field.name] for field in fields(Standby) if field.name in readers}}
