"""Gets the backend's document, whole: from the backend itself, from a URL or from a file, with all its pieces."""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from exposer.openapi import refs
from exposer.openapi.base import base_path, to_document
from exposer.openapi.fetch import Asking, Fetched, NotThereError, Place, fetch, first_place, place_beside
from exposer.openapi.model import Document, DocumentError, Repair
from exposer.openapi.split import Merger
from exposer.openapi.text import CANDIDATES, parse

__all__ = ["DocumentError", "Reader", "base_path", "candidates", "read"]

candidates = CANDIDATES
MAX_PIECES = 300
# A reference that does not begin with "#". In doubt yes: then the document is gone through.
_POINTS_OUT = re.compile(rb"""\$ref["']?\s*:\s*["']?[^"'#\s{]""")


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
    return Reader(source, upstream).read(headers=headers, timeout=timeout, limit=limit)


class Reader:
    """Reads the same document again and again; as long as nothing of it changes, the very same Document comes back.

    A server that knows ETag or Last-Modified is asked for changes only. Not for two threads at once.
    """

    def __init__(self, source: str, upstream: str) -> None:
        self._source = source
        self._upstream = upstream
        self._document: Document | None = None
        self._login = ""
        self._known: dict[str, Fetched | None] = {}

    def read(self, *, headers: Mapping[str, str], timeout: float = 20.0, limit: int = 20_000_000) -> Document:
        """`timeout` and `limit` are for all pieces together. Raises DocumentError."""
        root = first_place(self._source, self._upstream)
        login = hashlib.sha256(json.dumps(sorted(headers.items())).encode()).hexdigest()
        former = self._known if self._document and login == self._login else {}
        visit = _Visit(root, Asking(self._source, headers, time.monotonic() + timeout, limit), former)
        if self._document is not None and former and visit.nothing_changed():
            self._known = visit.known
            return self._document
        document = visit.document()
        self._document, self._login, self._known = document, login, visit.known
        return document


class _Visit:
    """One reading of a document with its pieces."""

    def __init__(self, root: Place, asking: Asking, former: Mapping[str, Fetched | None]) -> None:
        self._root = root
        self._beside = root  # after redirects: what is beside the document is beside its last address
        self._asking = asking
        self._former = former
        self._left = asking.limit
        self._pieces: dict[str, Any] = {}
        self._new: dict[str, Fetched] = {}
        self.known: dict[str, Fetched | None] = {}

    def nothing_changed(self) -> bool:
        """Asks for each piece that there was, the document itself first, until one is another."""
        for url, former in self._former.items():
            found = self._get(url, former)
            if found is not None and found.body is not None:
                self._new[url] = found
            if (found is None) != (former is None) or url in self._new:
                return False
            self.known[url] = found
        return True

    def document(self) -> Document:
        self.known = {}
        body, place = self._body(self._root.url)
        data = parse(body, self._asking.source)
        repairs: tuple[Repair, ...] = ()
        if isinstance(data, dict) and ("openapi" in data or "swagger" in data) and _POINTS_OUT.search(body):
            repairs = self._merged(data, place)
        return to_document(data, self._asking.source, place.path if place.ours else "", repairs)

    def may_ask(self, url: str) -> bool:
        return place_beside(self._beside, url) is not None

    def piece(self, url: str) -> Any:
        """The value of a piece, MISSING when there is none."""
        if url not in self._pieces:
            if len(self._pieces) >= MAX_PIECES:
                raise self._refused(f"it is split over more than {MAX_PIECES} files")
            try:
                self._pieces[url] = parse(self._body(url)[0], f"{self._asking.source}: {url}")
            except NotThereError:
                self._pieces[url] = refs.MISSING
        return self._pieces[url]

    def _merged(self, data: dict[str, Any], place: Place) -> tuple[Repair, ...]:
        try:
            return Merger(data, place.url, self).merge()
        except DocumentError as error:
            if error.message.startswith(self._asking.source):
                raise
            raise DocumentError(f"{self._asking.source}: {error.message}", error.hint) from error

    def _body(self, url: str) -> tuple[bytes, Place]:
        self.known[url] = None
        found = self._new.get(url) or self._ask(url, None)
        self.known[url] = replace(found, body=None)
        return found.body or b"", found.place

    def _get(self, url: str, former: Fetched | None) -> Fetched | None:
        try:
            return self._ask(url, former)
        except NotThereError:
            if url == self._root.url:
                raise
            return None

    def _ask(self, url: str, former: Fetched | None) -> Fetched:
        is_root = url == self._root.url
        place = self._root if is_root else place_beside(self._beside, url)
        if place is None:
            raise self._refused(f"it refers to {url}, which is not beside it")
        if self._left <= 0 or self._asking.deadline <= time.monotonic():
            raise self._refused("its pieces together are too large, or take too long to come")
        source = self._asking.source if is_root else f"{self._asking.source}: {url}"
        found = fetch(place, replace(self._asking, source=source, limit=self._left), former)
        self._left -= len(found.body or b"")
        if is_root:
            self._beside = found.place
        return found

    def _refused(self, why: str) -> DocumentError:
        return DocumentError(
            f"{self._asking.source}: {why}", "bundle the document into one file and point backend.openapi to that"
        )
