"""The gateway's part, made of the config, the keys and what is published. Loaded once the backend starts."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlsplit

from exposer.config.model import Config
from exposer.config.secrets import resolve
from exposer.files import Places
from exposer.gateway.container import ContainerNginx
from exposer.gateway.front import Front
from exposer.gateway.host import HostNginx
from exposer.gateway.nginx import NginxProcess
from exposer.gateway.own_calls import OwnCalls
from exposer.gateway.own_keys import Vault
from exposer.gateway.policy import compile
from exposer.keys.model import Ring
from exposer.openapi.declared import server_hosts
from exposer.openapi.fit import offered
from exposer.openapi.large import large
from exposer.openapi.plain import plain_reads
from exposer.secret import Secret
from exposer.state.facts import Documented
from exposer.tunnels import BY_SOCKET, CALLERS

ANSWERS = {"gpt-action": 100_000}  # what a client takes at the most


def make_gateway(
    config: Config,
    places: Places,
    engine: str,
    documented: Documented,
    *,
    upstream: str,
    ring: Callable[[], Ring],
    allow_from: tuple[str, ...] | None,
    probe: tuple[str, str],
    front: Front | None,
    now: float,
    own: OwnCalls | None = None,
    vault: Vault | None = None,
) -> NginxProcess:
    """nginx for the keys that pass `now`, and for what is published. `ring` gives the keys as they are later on."""
    folder = Path(places.runtime, "gateway")
    policy = compile(
        ring=ring(),
        operations=documented.operations,
        hidden=documented.hidden,
        auth=config.auth,
        limits=config.limits,
        # Workers may not pass through the folders above, so what lies in the gateway's folder is named from there.
        upstream=upstream.replace(f"unix:{folder}/", "unix:"),
        upstream_host=urlsplit(upstream).netloc if upstream.startswith("http") else f"127.0.0.1:{config.backend.port}",
        now=now,
        probe=probe[0],
        probe_answer=probe[1],
        upstream_auth=upstream_secret(config),
        inject=_inject(config, documented),
        own_hosts=server_hosts(documented.document),
        response=config.limits.response or ANSWERS.get(config.schema.client, 0),
        large=large(documented.document, documented.operations),
        allow_from=allow_from,
        log_queries=config.audit.queries,
        caller=_caller(config),
        doors=config.second is not None,
        hosts=_hosts(config),
    )
    return NginxProcess(
        folder,
        replace(policy, front=front),
        binary=config.gateway.binary,
        port=config.gateway.port,
        templates=config.gateway.templates,
        passing=lambda: {key.id for key in ring().passing(time.time())},
        runner=_runner(config, engine),
        own=own,
        vault=vault,
        hidden=documented.hidden,
        reads=cache(partial(plain_reads, documented.document, documented.operations)),
    )


def upstream_secret(config: Config) -> tuple[str, Secret] | None:
    """The header that the gateway adds for the backend."""
    auth = config.backend.auth
    return None if auth is None else (auth.header, resolve(auth.value))


def _inject(config: Config, documented: Documented) -> Mapping[str, Mapping[str, str]]:
    """The headers that the published operations need and no client sends, by operation id."""
    document, auth = documented.document, config.backend.auth
    if document is None:
        return {}
    provided = (auth.header,) if auth else ()
    client, header = config.schema.client, config.auth.header
    return offered(document, documented.operations, client=client, header=header, provided=provided).inject


def _caller(config: Config) -> str:
    """The header in which the tunnel says who calls, if all that come in by a socket say it."""
    tunnels = [config.tunnel, *([config.second] if config.second else [])]
    found = {CALLERS.get(tunnel.provider, "") for tunnel in tunnels if tunnel.provider in BY_SOCKET}
    return found.pop() if len(found) == 1 else ""


def _hosts(config: Config) -> tuple[str, ...]:
    """The public names, where they are known beforehand and callers may come by others; else ()."""
    tunnels = [config.tunnel, *([config.second] if config.second else [])]
    names = [tunnel.hostname or urlsplit(tunnel.url).hostname or "" for tunnel in tunnels]
    known = all(names) and not any(":" in name for name in names)
    return tuple(sorted({name.lower() for name in names} - {"127.0.0.1"})) if known else ()


def _runner(config: Config, engine: str) -> ContainerNginx | HostNginx:
    binary, image = config.gateway.binary, config.gateway.image
    return ContainerNginx(config.name, image, binary) if engine == "docker" else HostNginx(binary)
