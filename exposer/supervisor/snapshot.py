"""The status of the contract's section 3, out of what the loop knows. Pure."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from exposer.openapi.model import Operation
from exposer.state.model import BACKEND, GATEWAY, SCHEMA, STANDBY, TUNNEL, Phase, Unit
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.hops import broken_hop


def timestamp(seconds: float | None) -> str | None:
    """Seconds since 1970 as the contract writes times; None stays None."""
    return None if not seconds else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def snapshot(name: str, state: Exposure, about: Mapping[str, Any], pid: int) -> dict[str, Any]:
    """`about` is what the config and the ring say: kinds, provider, key states, the document's source."""
    units = state.units
    url = state.url if state.open_tunnel.phase is Phase.UP else ""
    checked = state.checked
    return {
        "schema_version": 1,  # `schema` is taken by the document's figures: the contract names both
        "name": name,
        "phase": state.phase,
        "since": timestamp(state.since),
        "public_url": url or None,
        "public_url_since": timestamp(state.url_since) if url else None,
        "expires": timestamp(state.expires),
        "backend": {
            "kind": about["backend"],
            **_part(units[BACKEND]),
            "id": units[BACKEND].detail.get("id"),
            "restarts": units[BACKEND].restarts,
        },
        "gateway": {
            "engine": units[GATEWAY].detail.get("engine", about["engine"]),
            **_part(units[GATEWAY]),
            "listen": units[GATEWAY].detail.get("listen"),
            "restarts": units[GATEWAY].restarts,
        },
        "tunnel": {
            "provider": about["provider"],
            **_part(units[TUNNEL]),
            "pid": units[TUNNEL].detail.get("pid"),
            "restarts": units[TUNNEL].restarts,
            "reconnects": units[TUNNEL].detail.get("reconnects", 0),
            **({"ca": units[TUNNEL].detail["ca"]} if "ca" in units[TUNNEL].detail else {}),
            **(_door(state, TUNNEL) if state.spare else {}),
        },
        "standby": _standby(state, about),
        "keys": about["keys"],
        "networks": about.get("networks", {}),
        "schema": _schema(state, about),
        "checks": {
            "public_reachable": checked.reachable if checked else None,
            "refuses_without_key": checked.refuses if checked else None,
            "at": timestamp(state.checked_at) if checked else None,
            "why": checked.why if checked else "",
            "self_test": _self_test(state),
        },
        "advice": list(about.get("advice", ())),
        "config_error": state.config_error or None,
        "hop": broken_hop(units, checked, state.carrier) or None if state.phase == "degraded" else None,
        "trouble": "; ".join(filter(None, (state.trouble, state.networks, *state.unwritten.values()))) or None,
        "supervisor": {"pid": pid, "at": timestamp(time.time())},
    }


def example(operations: tuple[Operation, ...]) -> str | None:
    """A published path that can be asked for as it is, to try the key on."""
    plain = [op.full_path for op in operations if op.method == "GET" and "{" not in op.full_path]
    return plain[0] if plain else None


def _standby(state: Exposure, about: Mapping[str, Any]) -> dict[str, Any] | None:
    """The second tunnel; None when there is none."""
    if not state.spare:
        return None
    unit = state.units[STANDBY]
    ran = {"pid": unit.detail.get("pid"), "restarts": unit.restarts, "reconnects": unit.detail.get("reconnects", 0)}
    since = timestamp(state.took_over_at)
    return {"provider": about.get("standby"), **_part(unit), **ran, **_door(state, STANDBY), "switched": since}


def _door(state: Exposure, role: str) -> dict[str, Any]:
    """Whether this tunnel of two is the open one; of the other, whether it could be reached."""
    is_open, waiting = state.carrier == role, state.waiting
    door: dict[str, Any] = {"open": is_open, "url": state.units[role].detail.get("url") or None}
    if not is_open:
        door["reachable"] = waiting.reachable if waiting else None
        door |= {"why": waiting.why} if waiting and waiting.why else {}
    return door


def _part(unit: Unit) -> dict[str, Any]:
    healthy = unit.phase is Phase.UP and bool(unit.healthy)
    part: dict[str, Any] = {"healthy": healthy}
    if unit.error:
        part["error"] = unit.error
    if unit.detail.get("warning"):
        part["warning"] = unit.detail["warning"]
    return part


def _self_test(state: Exposure) -> dict[str, Any] | None:
    """The last one: how many calls were refused as they must be, and which one got through."""
    tested = state.tested
    if tested is None:
        return None
    return {
        "ok": tested.ok,
        "calls": tested.calls,
        "passed": tested.passed or None,
        "why": tested.hole or tested.trouble or tested.why,
        "at": timestamp(state.tested_at),
    }


def _schema(state: Exposure, about: Mapping[str, Any]) -> dict[str, Any]:
    documented, published = state.documented, state.published
    return {
        "source": about["source"],
        "operations": documented.total if documented else 0,
        "published": len(documented.operations) if documented else 0,
        "packs": 1 if published else 0,
        "example": example(state.operations),
        "stale": published is None or bool(state.units[SCHEMA].error),
    }
