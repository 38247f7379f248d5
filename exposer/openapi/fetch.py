"""Asks for one document or a piece of it: the backend, the host it was told, or a file. Nobody else is ever asked."""

import hashlib
import os
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

from exposer import wire
from exposer.openapi.model import DocumentError
from exposer.openapi.text import CANDIDATES

REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 3
ACCEPT = "application/json, application/yaml;q=0.9, */*;q=0.5"
_HOST = re.compile(r"[A-Za-z0-9._:-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where to ask. `base` is empty for a file; `ours` is true for the backend itself, which alone gets its login."""

    base: str
    path: str
    ours: bool = False

    @property
    def url(self) -> str:
        if not self.base:
            return "file://" + quote(self.path)
        return ("http://backend" if self.base.startswith("unix:") else self.base) + self.path


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came back. `body` is None when it is the same as before; `tags` are what to ask with the next time."""

    body: bytes | None
    place: Place
    digest: str
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Asking:
    """How long, how much and with which login. `source` is how the document is called in an error."""

    source: str
    headers: Mapping[str, str]
    deadline: float
    limit: int


def first_place(source: str, upstream: str) -> Place:
    """Where "/path", an http(s) URL or "file:/path" is. Raises DocumentError."""
    if source.startswith("file:"):
        path = source.removeprefix("file:")
        path = path[2:] if path.startswith("///") else path
        if not path.startswith("/") or path.startswith("//"):
            raise DocumentError(f"{source}: not an absolute path", 'write "file:/folder/openapi.json"')
        return Place("", path)
    if source.startswith("/"):
        return Place(upstream.rstrip("/"), _request_line(source), True)
    parts = urlsplit(source) if _origin(source) else None
    if parts is None:
        raise DocumentError(
            "backend.openapi is neither a path, a URL nor a file",
            'write "/openapi.json" (on the backend), "https://…" or "file:/…"',
        )
    if "@" in parts.netloc:
        raise DocumentError("backend.openapi has a login in its URL", "set backend.auth instead")
    return Place(f"{parts.scheme}://{parts.netloc}", _path_of(source), _origin(source) == _origin(upstream))


def place_beside(root: Place, url: str) -> Place | None:
    """The place of a piece: below the root's folder, or on its very host; None for any other."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if not root.base:
        path = unquote(parts.path)
        folder = os.path.realpath(Path(root.path).parent)
        inside = "\0" not in path and os.path.realpath(path).startswith(folder.rstrip("/") + "/")
        return Place("", path) if url.startswith("file:///") and inside else None
    same = _origin(url) is not None and _origin(url) == _origin(root.url) and "@" not in parts.netloc
    return Place(root.base, _path_of(url), root.ours) if same else None


def fetch(place: Place, asking: Asking, former: Fetched | None = None) -> Fetched:
    """The document at a place, unless it is the same as the former one. Raises DocumentError."""
    if not place.base:
        return _fetched(_from_file(place.path, asking), place, {}, former)
    for _ in range(MAX_REDIRECTS + 1):
        tags = dict(former.tags) if former and former.place == place else {}
        answer = _ask(place, asking, tags)
        if former and tags and answer.status == 304:
            return Fetched(None, place, former.digest, former.tags)
        location = answer.headers.get("location", "")
        if answer.status not in REDIRECTS or not location:
            _check_status(answer.status, asking.source)
            return _fetched(answer.body, place, answer.headers, former)
        place = _redirected(place, location, asking.source)
    raise DocumentError(
        f"{asking.source}: redirected more than {MAX_REDIRECTS} times", "point backend.openapi to the end of the chain"
    )


def _fetched(body: bytes, place: Place, headers: Mapping[str, str], former: Fetched | None) -> Fetched:
    digest = hashlib.sha256(body).hexdigest()
    asks = (("If-None-Match", headers.get("etag")), ("If-Modified-Since", headers.get("last-modified")))
    tags = tuple((name, value) for name, value in asks if value and value.isprintable() and value.isascii())
    same = former is not None and former.place == place and former.digest == digest
    return Fetched(None if same else body, place, digest, tags)


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return _request_line((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _request_line(path: str) -> str:
    return quote(path.partition("#")[0], safe="/%?&=+,:;@!$'()*~[]-._")


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an http(s) address; None for anything else."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
            return None
        return parts.scheme, host, parts.port or {"http": 80, "https": 443}[parts.scheme]
    except ValueError:
        return None


def _ask(place: Place, asking: Asking, tags: Mapping[str, str]) -> wire.Answer:
    sent = {"Accept": ACCEPT, **tags, **(asking.headers if place.ours else {})}
    patience = max(0.1, asking.deadline - time.monotonic())
    try:
        return wire.request(place.base, place.path, headers=sent, timeout=patience, limit=asking.limit)
    except wire.NoAnswerError as error:
        if error.stage == "size":
            raise _too_large(asking) from error
        raise DocumentError(
            f"{asking.source}: the document cannot be had: {error.message}",
            "check that the backend runs and that backend.openapi is right",
            transient=True,
        ) from None  # the cause could quote a header it could not send


def _redirected(place: Place, location: str, source: str) -> Place:
    """Where a redirect leads, if it stays on the same host; the way up from http to https is that, too."""
    try:
        target = urljoin(place.url, location)
    except ValueError:
        target = ""
    old, new = _origin(place.url), _origin(target)
    upgrade = not place.ours and old is not None and new == ("https", old[1], 443)
    if new is None or "@" in urlsplit(target).netloc or not (new == old or upgrade):
        raise DocumentError(
            f"{source}: redirects to another host, which is not followed",
            "if that is the right place, write its address into backend.openapi",
        )
    parts = urlsplit(target)
    return Place(f"{parts.scheme}://{parts.netloc}" if upgrade else place.base, _path_of(target), place.ours)


def _check_status(status: int, source: str) -> None:
    if 200 <= status < 300:
        return
    if status in (401, 403):
        raise DocumentError(
            f"{source}: the document needs a login (status {status})",
            "the document needs the backend's own login: set backend.auth",
        )
    if status in (404, 410):
        raise NotThereError(
            f"{source}: there is no document (status {status})",
            f"it is often at {', '.join([place for place in CANDIDATES if place != source][:6])}; "
            "or go on without a document: remove backend.openapi and list calls in schema.include",
        )
    raise DocumentError(
        f"{source}: asked for the document, the backend answered with status {status}",
        "look at `exposer logs backend`",
        transient=status >= 500 or status in (408, 425, 429),
    )


class NotThereError(DocumentError):
    """There is plainly nothing at that place: asking again does not help."""


def _too_large(asking: Asking, size: int = 0) -> DocumentError:
    found = f"has {size:,} bytes" if size else "is too large"
    return DocumentError(
        f"{asking.source}: the document {found}, more than {asking.limit:,} bytes are not read",
        "make a smaller one with the calls you need and point backend.openapi to that file",
    )


def _from_file(path: str, asking: Asking) -> bytes:
    source = asking.source
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise DocumentError(f"{source}: not a file", "point backend.openapi to the document itself")
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            body = file.read(asking.limit + 1) if size <= asking.limit else b""
    except FileNotFoundError:
        raise NotThereError(
            f"{source}: there is no such file",
            "mend backend.openapi; or go on without a document: remove it and list calls in schema.include",
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a usable path"
        raise DocumentError(f"{source}: cannot be read: {why}", "check the path in backend.openapi") from error
    if max(size, len(body)) > asking.limit:
        raise _too_large(asking, max(size, len(body)))
    return body
