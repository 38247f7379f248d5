"""What has changed between two publications, in the words of the person who has to paste the document again. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True, slots=True)
class Difference:
    """`added`, `removed` and `changed` are ids of operations; `packs` the numbers of the documents that are no longer
    the same, counted from 1; `gone` how many documents there are fewer; `front` says that title or key have changed."""

    server: tuple[str, str] | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    front: tuple[str, ...] = ()
    packs: tuple[int, ...] = ()
    gone: int = 0

    @property
    def same(self) -> bool:
        """Whether nothing has to be pasted again."""
        return not self.packs and not self.gone

    @property
    def only_server(self) -> bool:
        return self.server is not None and not (self.added or self.removed or self.changed or self.front or self.gone)


def compare(old: Sequence[str], new: Sequence[str]) -> Difference:
    """Two publications, each a document or several."""
    before, after = [_read(text) for text in old], [_read(text) for text in new]
    was, now = _operations(before), _operations(after)
    servers = (_server(before), _server(after))
    return Difference(
        server=servers if servers[0] != servers[1] else None,
        added=tuple(name for name in now if name not in was),
        removed=tuple(name for name in was if name not in now),
        changed=tuple(name for name in now if name in was and was[name] != now[name]),
        front=_front(before, after),
        packs=tuple(number for number, text in enumerate(new, 1) if number > len(old) or old[number - 1] != text),
        gone=max(0, len(old) - len(new)),
    )


def sentences(found: Difference, total: int) -> list[str]:
    """What to tell; `total` is how many documents there are now."""
    if found.same:
        return ["nothing has changed: there is nothing to paste again"]
    said: list[str] = []
    if found.server is not None:
        said.append(f"the address is now {found.server[1]} (it was {found.server[0]})")
    if found.only_server:
        said.append("nothing else has changed: it is enough to change the address in the client")
    said += [
        f"{len(names)} operation{'s' if len(names) > 1 else ''} {what}: {', '.join(names)}"
        for names, what in ((found.added, "added"), (found.removed, "removed"), (found.changed, "changed"))
        if names
    ]
    said += [f"{what} has changed" for what in found.front]
    which = "the document" if total == 1 else f"document {_numbers(found.packs)} of {total}"
    if found.packs:
        said.append(f"paste {which} again: exposer schema show" + ("" if total == 1 else " --pack N"))
    if found.gone:
        said.append(f"{found.gone} document{'s are' if found.gone > 1 else ' is'} no longer needed: take away the last")
    return said


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _read(text: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, Mapping) else {}


def _operations(documents: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What is said about each operation, by its id."""
    found: dict[str, str] = {}
    for data in documents:
        for tool in data.get("tools", ()):
            found[str(tool.get("name"))] = json.dumps(tool, sort_keys=True)
        for path, item in data.get("paths", {}).items():
            for method in METHODS:
                if method in item:
                    raw = item[method]
                    found[str(raw.get("operationId"))] = json.dumps([path, method, raw], sort_keys=True)
    return found


def _server(documents: Sequence[Mapping[str, Any]]) -> str:
    """The address in the first document, whichever format it has."""
    data = documents[0] if documents else {}
    if "tools" in data:
        return str(data.get("_meta", {}).get("io.exposer/server", ""))
    if "swagger" in data:
        base = str(data.get("basePath", "")).rstrip("/")
        return f"{next(iter(data.get('schemes', ())), '')}://{data.get('host', '')}{base}"
    return str(next((server.get("url", "") for server in data.get("servers", ())), ""))


def _front(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    was, now = (documents[0] if documents else {} for documents in (before, after))
    parts = {
        "the title or description": ("info",),
        "the way to show the key": ("security", "securityDefinitions", "components"),
        "the format": ("openapi", "swagger"),
    }
    return tuple(
        what for what, keys in parts.items() if [was.get(key) for key in keys] != [now.get(key) for key in keys]
    )
