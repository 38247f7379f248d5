"""Makes one document of one that is split over files: each piece becomes a component, or a copy where it is used."""

import ipaddress
import posixpath
from typing import Any, Protocol
from urllib.parse import unquote, urljoin, urlsplit

from exposer.openapi import refs
from exposer.openapi.model import DocumentError, Repair
from exposer.openapi.normalise.copying import Copier
from exposer.openapi.normalise.grammar import GRAMMAR, SECTIONS, SECTIONS_2, spots, walk
from exposer.openapi.normalise.names import free_name, reference
from exposer.openapi.normalise.report import Report, Where, names_of, short

MAX_NESTED = 150
_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
_FILES = (".yaml", ".yml", ".json")

_COPIED = frozenset(("pathItem", "media", "callback"))

Task = tuple[str, dict[str, Any], Where]


class Pieces(Protocol):
    """Where pieces come from."""

    def may_ask(self, url: str) -> bool:
        """Whether the address is beside the document: in its folder, or on its host."""

    def piece(self, url: str) -> Any:
        """The value of a piece; MISSING when there is none."""


class Merger:
    """One document, at `url`, merged in place. After that all its references begin with "#"."""

    def __init__(self, data: dict[str, Any], url: str, pieces: Pieces) -> None:
        self._data = data
        self._url = url
        self._pieces = pieces
        self._copier = Copier()
        self._report = Report()
        self._called: dict[tuple[str, str], str] = {}
        self._tasks: list[Task] = [("root", data, None)]

    def merge(self) -> tuple[Repair, ...]:
        """Raises DocumentError where a piece must not be asked for, or cannot be had just now."""
        while self._tasks:
            kind, node, where = self._tasks.pop()
            if len(names_of(where)) > MAX_NESTED:
                raise self._refused("its pieces are nested without an end")
            self._merge_maps(kind, node, where)
            self._merge_mapping(node, where)
            found: list[Task] = []
            for holder, key, value, child, below in list(spots(kind, node, where)):
                if isinstance(value, dict):
                    if isinstance(value.get("$ref"), str):
                        value = holder[key] = self._resolved(value, child, below)
                    found.append((child, value, below))
            self._tasks += reversed(found)
        return self._report.repairs()

    def _merge_maps(self, kind: str, node: dict[str, Any], where: Where) -> None:
        """`paths: {$ref: paths.yaml}`: all the named things of a place are in a piece."""
        for key, (child, named) in GRAMMAR.get(kind, {}).items():
            value = node.get(key)
            if named and isinstance(value, dict) and isinstance(value.get("$ref"), str):
                node[key] = self._inlined(value, child, (where, key), named=True)
                if (*names_of(where), key) == self._section(child):
                    self._note_names(value["$ref"], child, node[key])

    def _note_names(self, ref: str, kind: str, things: dict[str, Any]) -> None:
        """What a file for a whole section has is known under these names from now on."""
        url, names = self._place(ref)
        for name in things:
            known = (f"{url}#{(*names, name)}", kind)
            self._called[known] = reference((*(self._section(kind) or ()), name))

    def _merge_mapping(self, node: dict[str, Any], where: Where) -> None:
        mapping = _mapping(node)
        for name, ref in list(mapping.items()):
            if isinstance(ref, str) and _is_file(ref):
                mapping[name] = self._component(ref, "schema", where) or ref

    def _resolved(self, node: dict[str, Any], kind: str, where: Where) -> dict[str, Any]:
        if node["$ref"].startswith("#"):
            return node
        if self._section(kind) is None:
            return self._inlined(node, kind, where)
        called = self._component(node["$ref"], kind, where)
        return {**node, "$ref": called} if called else node

    def _inlined(self, node: dict[str, Any], kind: str, where: Where, *, named: bool = False) -> dict[str, Any]:
        """The node with a copy of what it refers to in the place of the reference."""
        for _ in range(refs.HOPS):
            ref = node.get("$ref")
            if not isinstance(ref, str) or (ref.startswith("#") and not named):
                return node
            target = self._target(ref, where)
            rest = {key: value for key, value in node.items() if key != "$ref"}
            copy = self._copied(target, kind, self._place(ref)[0], named=named) if isinstance(target, dict) else {}
            node = {**copy, **rest}
        raise self._refused(f"the reference {short(ref)} goes in a circle")

    def _component(self, ref: str, kind: str, where: Where) -> str:
        """The reference to the component that a piece has become; "" when there is no such piece."""
        url, names = self._place(ref)
        if url == self._url:
            return reference(names) if names else ""
        known = (f"{url}#{names}", kind)
        if known not in self._called:
            target = self._target(ref, where)
            if not isinstance(target, dict):
                return ""
            section = self._section(kind) or ()
            home = self._home(section)
            name = free_name(names[-1] if names else _stem(url), home, known[0])
            self._called[known] = reference((*section, name))
            node = home[name] = self._copied(target, kind, url)
            if isinstance(node.get("$ref"), str):
                node = home[name] = self._resolved(node, kind, where)
            self._tasks.append((kind, node, where))
        return self._called[known]

    def _home(self, section: tuple[str, ...]) -> dict[str, Any]:
        home = self._data
        for name in section:
            if not isinstance(home.get(name), dict):
                home[name] = {}
            home = home[name]
        return home

    def _section(self, kind: str) -> tuple[str, ...] | None:
        """Where shared things of a kind live; None for kinds that are copied to where they are used."""
        if "swagger" in self._data:
            return (SECTIONS_2[kind],) if kind in SECTIONS_2 else None
        return ("components", SECTIONS[kind]) if kind in SECTIONS and kind not in _COPIED else None

    def _target(self, ref: str, where: Where) -> Any:
        """What a reference means; MISSING when that is nothing, or on a host that is not asked."""
        url, names = self._place(ref)
        if url == self._url:
            return refs.lookup(self._data, names)
        if not self._pieces.may_ask(url):
            if _is_dangerous(url):
                raise self._refused(f"it refers to {self._said(url)}, which is not beside it and is never asked for")
            self._report.add(where, f"{self._said(url)} is on another host and was not asked for")
            return refs.MISSING
        piece = self._pieces.piece(url)
        if piece is refs.MISSING:
            self._report.add(where, f"the piece {self._said(url)} is not there")
            return piece
        return refs.lookup(piece, names)

    def _copied(self, target: dict[str, Any], kind: str, url: str, *, named: bool = False) -> dict[str, Any]:
        """A copy of a part of a piece, its references written out in full, so that it may stand anywhere."""
        copy: dict[str, Any] = self._copier.copy(target)
        for thing in (copy, *copy.values()) if named else (copy,):
            if isinstance(thing, dict):
                self._write_out(thing, url)
                for holder, key, value, _, _ in walk(kind, thing) if thing is not copy or not named else ():
                    if isinstance(value, dict):
                        self._write_out(value, url)
                    elif key == "$ref" and isinstance(value, str):
                        holder[key] = self._absolute(url, value)
        return copy

    def _write_out(self, node: dict[str, Any], base: str) -> None:
        if isinstance(node.get("$ref"), str):
            node["$ref"] = self._absolute(base, node["$ref"])
        mapping = _mapping(node)
        for name, ref in list(mapping.items()):
            if isinstance(ref, str) and (_is_file(ref) or ref.startswith("#")):
                mapping[name] = self._absolute(base, ref)

    def _absolute(self, base: str, ref: str) -> str:
        """The reference with its whole address; one into the root document begins with "#"."""
        place, _, fragment = ref.replace("\\", "/").partition("#")
        try:
            url = urljoin(base, place) if place else base
        except ValueError as error:
            raise self._refused(f"the reference {short(ref)} is no address") from error
        return f"#{fragment}" if url == self._url else f"{url}#{fragment}"

    def _place(self, ref: str) -> tuple[str, tuple[str, ...]]:
        """The address of the piece, and the names to go through in it."""
        url, _, fragment = self._absolute(self._url, ref).partition("#")
        names = (refs.tokens(f"#{fragment}") or (fragment,)) if fragment.strip("/") else ()
        return url or self._url, names

    def _said(self, url: str) -> str:
        return short(url.removeprefix(urljoin(self._url, ".")))

    def _refused(self, why: str) -> DocumentError:
        return DocumentError(why, "bundle the document into one file and point backend.openapi to that")


def _mapping(node: dict[str, Any]) -> dict[str, Any]:
    """What a discriminator's values stand for; empty where there is none."""
    discriminator = node.get("discriminator")
    mapping = discriminator.get("mapping") if isinstance(discriminator, dict) else None
    return mapping if isinstance(mapping, dict) else {}


def _stem(url: str) -> str:
    return posixpath.splitext(unquote(posixpath.basename(urlsplit(url).path)))[0]


def _is_file(ref: str) -> bool:
    """Whether a discriminator's value is a file and not the name of a schema."""
    return ref.partition("#")[0].endswith(_FILES)


def _is_dangerous(url: str) -> bool:
    """Files elsewhere and addresses of an inside network: nobody refers to these by mistake."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return parts.scheme in ("file", "")
    host = (parts.hostname or "").rstrip(".")
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_NAMES) or not host.rpartition(".")[2].isalpha()
