"""Gets the backend's document: from the backend itself, from a URL or from a file. All else here is pure."""

import os
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from exposer import wire
from exposer.openapi.base import base_path, to_document
from exposer.openapi.model import Document, DocumentError
from exposer.openapi.text import CANDIDATES, parse

__all__ = ["DocumentError", "base_path", "candidates", "read"]

candidates = CANDIDATES
REDIRECTS = (301, 302, 303, 307, 308)
MAX_REDIRECTS = 3
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
ACCEPT = "application/json, application/yaml;q=0.9, */*;q=0.5"


def read(
    source: str,
    upstream: str,
    *,
    headers: Mapping[str, str],
    timeout: float = 20.0,
    limit: int = 20_000_000,
) -> Document:
    """The document at `source`: "/path" on the backend `upstream`, an http(s) URL, or "file:/path".

    `headers` are the backend's own login; nobody else gets them. Raises DocumentError.
    """
    if source.startswith("file:"):
        return to_document(parse(_from_file(source, limit), source), source)
    place = _place(source, upstream)
    body, found = _fetch(place, source, headers, time.monotonic() + timeout, limit)
    return to_document(parse(body, source), source, found.path if found.ours else "")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to ask. `ours` is true for the backend itself."""

    base: str
    path: str
    ours: bool

    @property
    def url(self) -> str:
        return ("http://backend" if self.base.startswith("unix:") else self.base) + self.path


def _place(source: str, upstream: str) -> _Place:
    if source.startswith("/"):
        return _Place(upstream.rstrip("/"), _request_line(source), True)
    parts = urlsplit(source) if _origin(source) else None
    if parts is None:
        raise DocumentError(
            "backend.openapi is neither a path, a URL nor a file",
            'write "/openapi.json" (on the backend), "https://…" or "file:/…"',
        )
    if "@" in parts.netloc:
        raise DocumentError("backend.openapi has a login in its URL", "set backend.auth instead")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Place(f"{parts.scheme}://{parts.netloc}", _request_line(path), _origin(source) == _origin(upstream))


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


def _fetch(place: _Place, source: str, headers: Mapping[str, str], deadline: float, limit: int) -> tuple[bytes, _Place]:
    for _ in range(MAX_REDIRECTS + 1):
        answer = _ask(place, source, headers, deadline, limit)
        location = answer.headers.get("location", "")
        if answer.status not in REDIRECTS or not location:
            _check_status(answer.status, source)
            return answer.body, place
        place = _redirected(place, location, source)
    raise DocumentError(
        f"{source}: redirected more than {MAX_REDIRECTS} times",
        "point backend.openapi to the end of the chain",
    )


def _ask(place: _Place, source: str, headers: Mapping[str, str], deadline: float, limit: int) -> wire.Answer:
    sent = {"Accept": ACCEPT, **(headers if place.ours else {})}
    patience = max(0.1, deadline - time.monotonic())
    try:
        return wire.request(place.base, place.path, headers=sent, timeout=patience, limit=limit)
    except wire.NoAnswerError as error:
        if error.stage == "size":
            raise _too_large(source, limit) from error
        raise DocumentError(
            f"{source}: the document cannot be had: {error.message}",
            "check that the backend runs and that backend.openapi is right",
            transient=True,
        ) from None  # the cause could quote a header it could not send


def _redirected(place: _Place, location: str, source: str) -> _Place:
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
    path = _request_line((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    base = f"{parts.scheme}://{parts.netloc}" if upgrade else place.base
    return _Place(base, path, place.ours)


def _check_status(status: int, source: str) -> None:
    if 200 <= status < 300:
        return
    if status in (401, 403):
        raise DocumentError(
            f"{source}: the document needs a login (status {status})",
            "the document needs the backend's own login: set backend.auth",
        )
    if status in (404, 410):
        raise DocumentError(
            f"{source}: there is no document (status {status})",
            f"it is often at {', '.join(candidates[:6])}; or go on without a document: "
            "remove backend.openapi and list calls in schema.include",
        )
    raise DocumentError(
        f"{source}: asked for the document, the backend answered with status {status}",
        "look at `exposer logs backend`",
        transient=status >= 500 or status in (408, 425, 429),
    )


def _too_large(source: str, limit: int, size: int = 0) -> DocumentError:
    found = f"has {size:,} bytes" if size else "is too large"
    return DocumentError(
        f"{source}: the document {found}, more than {limit:,} bytes are not read",
        "make a smaller one with the calls you need and point backend.openapi to that file",
    )


def _from_file(source: str, limit: int) -> bytes:
    path = source.removeprefix("file:")
    path = path[2:] if path.startswith("///") else path
    if not path.startswith("/") or path.startswith("//"):
        raise DocumentError(f"{source}: not an absolute path", 'write "file:/folder/openapi.json"')
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise DocumentError(f"{source}: not a file", "point backend.openapi to the document itself")
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            body = file.read(limit + 1) if size <= limit else b""
    except FileNotFoundError:
        raise DocumentError(
            f"{source}: there is no such file",
            "mend backend.openapi; or go on without a document: remove it and list calls in schema.include",
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a usable path"
        raise DocumentError(f"{source}: cannot be read: {why}", "check the path in backend.openapi") from error
    if max(size, len(body)) > limit:
        raise _too_large(source, limit, max(size, len(body)))
    return body
