"""`exposer status`, `url` and `wait`: read what the supervisor last wrote; ask nobody."""

from collections.abc import Mapping
from typing import Any

import click

from exposer import procs
from exposer.cli.find import leftovers, own_status, places, read_snapshot, running_status, supervisor
from exposer.cli.show import answer, duration, settings, table
from exposer.cli.words import ends_in_words
from exposer.errors import NotRunningError, TimeoutExceededError, UsageError
from exposer.files import Places


def current(found: Places) -> dict[str, Any]:
    """The status now, also when no supervisor runs."""
    status, entry = read_snapshot(found), supervisor(found)
    alive = entry is not None
    if alive and not found.locked() and (own := own_status(found, entry)) is not None:
        return own
    orphans = [] if alive else leftovers(found)
    phase = "panicked" if found.locked() else "starting" if alive else "degraded" if orphans else "offline"
    blank: dict[str, Any] = {"schema_version": 1, "name": found.name, "public_url": None, "keys": []}
    merged = blank | (status or {}) if orphans else blank
    if orphans and not found.locked():
        merged["trouble"] = "the supervisor is not running; `exposer up` takes over what runs, `exposer down` ends it"
    return merged | {"phase": phase}


@click.command()
@click.option("--watch", is_flag=True, help="Show it again and again until Ctrl-C.")
def status(watch: bool) -> None:
    """Show the phase, the address and each part's health."""
    found = places(settings().file, lenient=True)
    if watch:
        from exposer.cli.watch import watch as live

        live(found, lambda: render(current(found)))
        return
    data = current(found)
    answer(render(data), data)


@click.command()
def url() -> None:
    """Print the public address and nothing else."""
    data = running_status(places(settings().file))
    if not data.get("public_url"):
        raise NotRunningError("there is no public address yet", "wait for it with: exposer wait --online")
    answer(data["public_url"], {"schema": 1, "public_url": data["public_url"]})


@click.command()
@click.option("--online", "goal", flag_value="online", help="Until it is online.")
@click.option("--offline", "goal", flag_value="offline", help="Until it is offline.")
@click.option("--address-change", "goal", flag_value="address", help="Until the public address is another one.")
@click.option("--from", "known", default="", metavar="URL", help="With --address-change: another one than this.")
@click.option("--timeout", default="0s", metavar="TIME", help="Give up after so long (exit code 7); 0s: never.")
def wait(goal: str | None, known: str, timeout: str) -> None:
    """Wait until it is online, offline, or its address has changed.

    With --from URL it returns at once when the address is another one already: nothing is missed in between.
    """
    if goal is None:
        raise UsageError("wait for what?", "one of --online, --offline, --address-change")
    if known and goal != "address":
        raise UsageError("--from is the address before, so it goes with --address-change", "leave one out")
    found = places(settings().file)
    seconds = duration(timeout, "--timeout") or float("inf")
    first = known.rstrip("/") or current(found).get("public_url")

    def reached() -> bool:
        data = current(found)
        if goal == "address":
            settled = not data.get("schema", {}).get("stale", True)  # whoever reads on finds the new document
            return bool(data.get("public_url")) and data["public_url"] != first and settled
        return bool(data["phase"] == goal)

    if not procs.wait_until(reached, seconds, every=0.1):
        raise TimeoutExceededError(f"not within {timeout}")
    data = current(found)
    answer(
        data.get("public_url") or data["phase"], {"schema": 1, "phase": data["phase"], "public_url": data["public_url"]}
    )


def render(data: Mapping[str, Any]) -> str:
    """The status as a person reads it."""
    lines = [f"{data['name']}: {data['phase']}" + (f" since {data['since']}" if data.get("since") else "")]
    if data.get("hop"):
        lines.append(f"broken    at the {data['hop']} (callers → edge → agent → gateway → backend)")
    if data.get("public_url"):
        lines.append(f"address   {data['public_url']} (since {data.get('public_url_since')})")
    if ca := data.get("tunnel", {}).get("ca"):
        lines.append(f"trust     {ca}")
    if data.get("expires"):
        lines.append(f"ends      {data['expires']}")
    for role, word in (("backend", "kind"), ("gateway", "engine"), ("tunnel", "provider")):
        if role in data:
            lines.append(_part(role, str(data[role].get(word)), data[role]))
    if data.get("standby"):
        lines[-1] += ", open" if data["tunnel"]["open"] else f", closed{_waiting(data['tunnel'])}"
        second = _part("standby", str(data["standby"]["provider"]), data["standby"])
        lines.append(second + (", open" if data["standby"]["open"] else f", closed{_waiting(data['standby'])}"))
    if isinstance(data.get("schema"), dict):
        schema = data["schema"]
        stale = ", stale" if schema["stale"] else ""
        lines.append(f"schema    {schema['published']} of {schema['operations']} operations published{stale}")
    if data.get("networks"):
        lines.append(f"callers   {_networks(data['networks'])}")
    if "checks" in data:
        lines.append(f"outside   {_checks(data['checks'])}")
        if tested := data["checks"].get("self_test"):
            lines.append(f"self-test {_tested(tested)}")
    lines += [f"advice: {text}" for text in data.get("advice", ())]
    lines += [f"{name}: {data[name]}" for name in ("config_error", "trouble") if data.get(name)]
    if data.get("keys"):
        live = [key for key in data["keys"] if key["state"] != "revoked"] or data["keys"]
        rows = [(k["label"], k["id"], k["state"], k.get("last_used") or "never", ends_in_words(k)) for k in live]
        lines += ["", table(rows, ("KEY", "ID", "STATE", "LAST USED", "ENDS"))]
    if data["phase"] == "panicked":
        lines.append("locked by a panic; see what happened and lift the lock with: exposer unlock")
    return "\n".join(lines)


def _part(role: str, kind: str, part: Mapping[str, Any]) -> str:
    health = "healthy" if part["healthy"] else "not healthy"
    extra = f", {part['listen']}" if part.get("listen") else ""
    again = f", restarted {part['restarts']} times" if part.get("restarts") else ""
    why = f": {part['error']}" if part.get("error") else ""
    return f"{role:<9} {kind}, {health}{extra}{again}{why}"


def _waiting(part: Mapping[str, Any]) -> str:
    """What is known from outside of a tunnel that is not the open one."""
    return {True: ", reachable", False: f", not reachable ({part.get('why')})", None: ""}[part["reachable"]]


def _networks(lists: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {each['networks']} networks, read {each['at']}" for name, each in lists.items())


def _tested(tested: Mapping[str, Any]) -> str:
    if not tested["ok"]:
        return f"FAILED: {tested['why']}, {tested['at']}"
    through = f"{tested['passed']} with a key gets through" if tested["passed"] else f"no call made ({tested['why']})"
    return f"{tested['calls']} calls refused as they must be, {through}, {tested['at']}"


def _checks(checks: Mapping[str, Any]) -> str:
    if checks["at"] is None:
        return "not asked yet"
    reached = "reachable" if checks["public_reachable"] else f"not reachable ({checks.get('why')})"
    refuses = {True: ", refuses without a key", False: ", ANSWERS WITHOUT A KEY", None: ""}
    return f"{reached}{refuses[checks['refuses_without_key']]}, asked {checks['at']}"
