"""Writes the gateway's rules as nginx files: {name: text}. Pure."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError

from exposer import render as templates
from exposer.errors import ConfigError, MissingError
from exposer.gateway import paths as raw
from exposer.gateway.calls import map_keys, particular, permitted, recognised
from exposer.gateway.folder import DOOR, OPEN, STANDBY_DOOR
from exposer.gateway.headers import HIDDEN, REMOVED
from exposer.gateway.limits import limits
from exposer.gateway.passer import Passer
from exposer.gateway.pointers import links, redirects
from exposer.gateway.policy import Policy
from exposer.gateway.refusals import EARLY, forbidden, problems, slowed
from exposer.gateway.sizes import sizes

MAIN, UPSTREAM, CUT = "nginx.conf", "upstream.conf", "cut.js"

# How long lines may wait before they are written. All logs of one file must agree on it.
LOG_BUFFER = "buffer=32k flush=200ms"

_CHALLENGES = {"bearer": 'Bearer realm="exposer"', "api-key": 'ApiKey realm="exposer"'}


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things are, relative to the gateway's folder, and on this machine. `ca` is needed for an https backend;
    `js` is nginx's module for JavaScript, where there is one."""

    pid: str = "nginx.pid"
    temp: str = "temp"
    access_log: str = "access.log"
    error_log: str = "error.log"
    live: str = "live"
    draining: str = "draining"
    paused: str = "paused"
    door: str = DOOR
    second_door: str = STANDBY_DOOR
    open: str = OPEN
    detour: str = "detour.sock"
    ca: str = ""
    js: str = ""
    workers: int = 1


def render(
    policy: Policy,
    listen: str,
    paths: Paths,
    user: tuple[str, str] | None = None,
    templates_overlay: str = "",
    mark: str = "",
    secure: str = "",
    second: str = "",
) -> dict[str, str]:
    """The gateway's files. `user` is the workers' (user, group), when nginx starts as root. `secure` is where the
    policy's front listens, `second` where a second tunnel comes in.

    `mark` names this very generation: `/.exposer/<probe>/generation` says it as soon as it is in force.
    Raises ConfigError for an own template that cannot be used.
    """
    if policy.upstream.scheme == "https" and not paths.ca:
        raise MissingError(
            "no file of trusted certificates was found, so an https backend cannot be verified",
            "install your system's ca-certificates package",
        )
    context = _context(policy, paths, user, mark) | {"listen": listen, "secure": secure, "second": second}
    files = {
        MAIN: _template("nginx/nginx.conf.j2", templates_overlay, context),
        UPSTREAM: _template("nginx/upstream.conf.j2", templates_overlay, context),
        **(policy.front.files() if policy.front else {}),
    }
    if context["cutting"]:
        files[CUT] = _template("nginx/cut.js.j2", templates_overlay, context)
    for number, tier in enumerate(login_tiers(policy.passers)):
        if "basic" in policy.methods:
            files[f"htpasswd.{number}"] = "".join(f"{user}:{passer.htpasswd}\n" for user, passer in tier.items())
    return files


def _context(policy: Policy, paths: Paths, user: tuple[str, str] | None, mark: str) -> dict[str, Any]:
    """All that the templates may name, but for the addresses."""
    measuring = sizes(policy, map_keys(policy.routes))
    return {
        "paths": paths,
        "user": user,
        "mark": mark,
        "start": mark[:8] or "0",
        "log_buffer": LOG_BUFFER,
        "policy": policy,
        **_credentials(policy),
        **recognised(policy.routes),
        **particular(policy.routes),
        **limits(policy.limits, policy.passers),
        **measuring,
        "cutting": bool(paths.js and measuring["measured"]),
        **permitted(policy.routes, policy.passers),
        **_headers(policy),
        "early": EARLY,
        "problems": problems(policy.limits),
        "slowed": slowed(),
        "forbidden": forbidden(),
    }


def warm_up() -> None:
    """Has our own templates compiled before they are needed."""
    for name in (MAIN, UPSTREAM):
        templates.environment().get_template(f"nginx/{name}.j2")


def digest(files: Mapping[str, str]) -> str:
    """Names a rendered site."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{len(files[name])}\0{files[name]}".encode())
    return total.hexdigest()


def login_tiers(passers: Iterable[Passer]) -> list[dict[str, Passer]]:
    """Who may log in under which user name: the key's id, or its label.

    During a rotation two keys have the same label. nginx looks at the first line of a name only, so each further
    key of a name goes into a file of its own, which is asked when the one before has refused.
    """
    newest = list(reversed(list(passers)))
    tiers: list[dict[str, Passer]] = [{passer.id: passer for passer in newest}]
    for passer in newest:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", passer.label):
            continue
        free = next((tier for tier in tiers if passer.label not in tier), None)
        if free is None:
            tiers.append(free := {})
        free[passer.label] = passer
    return tiers[:4]


def _credentials(policy: Policy) -> dict[str, Any]:
    """How a key is found in a request. All sources are read as one text, so that two credentials never match.

    The text is "<header> <Authorization> <query>", less what is not configured. A header's value has no space at
    its ends and a query has none at all, so an empty place can be told from a filled one.
    """
    scheme = "bearer" in policy.methods or "basic" in policy.methods
    header = "api-key" in policy.methods and not (scheme and policy.header.lower() == "authorization")
    own = f"$http_{policy.header.lower().replace('-', '_')}"
    sources = [*([own] if header else []), *(["$http_authorization"] if scheme else [])]
    key = "exp_{}_[0-9A-Za-z]{{43}}_[0-9A-Za-z]{{6}}"
    clear = f"(?P<clear>{key.format('(?P<shown>[a-z0-9]{8})')})"
    blob = "(?P<clear>(?P<shown>[A-Za-z0-9+/]{16})[A-Za-z0-9+/]{68})"
    rest = f" (?!\\S*{key.format('[a-z0-9]{8}')})\\S*\\z"  # a key in the query is a key that has leaked into logs
    before, after = " " * header, " " * scheme
    shapes = {
        "api-key": f"^{clear}{after if header else ''}{rest}",
        "bearer": f"^{before}(?i:bearer) +{clear}{rest}",
        "basic": f"^{before}(?i:basic) +{blob}{rest}",
    }
    basic = "basic" in policy.methods
    return {
        "credential_sources": " ".join([*sources, "$args"]),
        # Without any way to show a key no text is one.
        "credential": f"(?|{'|'.join(shapes[method] for method in policy.methods) or '(?!)(?P<clear>)(?P<shown>)'})",
        "slashed": [raw.SLASHED] if any(route.pattern.wide for route in policy.routes) else [],
        "slash_mark": raw.MARK,
        "key_shape": key.format("[a-z0-9]{8}"),
        "leak": f"\\S*{key.format('[a-z0-9]{8}')}",
        "other_source": own if header else "",
        "basic_prefixes": _basic_prefixes(policy.passers) if basic else {},
        "tiers": [{raw.exact(user): passer.id for user, passer in tier.items()} for tier in login_tiers(policy.passers)]
        if basic
        else [],
        "challenges": [text for method, text in _CHALLENGES.items() if method in policy.methods],
        "basic": basic,
        "header": policy.header,
    }


def _basic_prefixes(passers: Iterable[Passer]) -> dict[str, Passer]:
    """What Basic begins with when nothing but the key was typed in. nginx folds the case of plain texts, so these
    are patterns."""
    return {f"~^{raw.exact(base64.b64encode(f'exp_{passer.id}'.encode()).decode())}\\z": passer for passer in passers}


def _headers(policy: Policy) -> dict[str, Any]:
    added = policy.upstream_auth[0].lower() if policy.upstream_auth else ""
    removed = {name.lower(): name for name in (*REMOVED, policy.header)}
    removed.pop(added, None)
    hosts = (policy.upstream_host, _where(policy), *policy.own_hosts)
    return {
        "removed": list(removed.values()),
        "hidden": HIDDEN,
        "redirects": redirects(hosts),
        "links": links(hosts),
        "added": (policy.upstream_auth[0], policy.upstream_auth[1].reveal()) if policy.upstream_auth else None,
    }


def _where(policy: Policy) -> str:
    """The backend's host and port as the gateway calls it; "" for a socket."""
    return "" if policy.upstream.server.startswith("unix:") else policy.upstream.server


def _template(name: str, overlay: str, context: Mapping[str, Any]) -> str:
    """Renders one template; what is wrong with an own one is said with its file and line."""
    try:
        return templates.environment(overlay).get_template(name).render(context)
    except TemplateSyntaxError as error:
        raise ConfigError(f"template {error.name or name}, line {error.lineno}: {error.message}") from None
    except TemplateError as error:
        raise ConfigError(f"template {name}: {error.message}", "is a name in it misspelt?") from None
