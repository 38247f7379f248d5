"""What stands at the front of every document: title, address, the one way to show a key. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from exposer.openapi.fit.texts import clean, cut
from exposer.openapi.model import Document, DocumentError

SCHEME = "key"
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
MOST_TITLE, MOST_ABOUT = 100, 500


@dataclass(frozen=True, slots=True)
class Front:
    """The same for all packs. `base` is the path below which the calls are, "" or "/api"."""

    title: str
    about: str
    version: str
    url: SplitResult
    base: str
    method: str
    header: str

    @property
    def server(self) -> str:
        """The public address with the base path."""
        port = "" if self.url.port in (None, 443 if self.url.scheme == "https" else 80) else f":{self.url.port}"
        host = self.url.hostname or ""
        name = f"[{host}]" if ":" in host else host
        return f"{self.url.scheme}://{name}{port}{self.url.path}{self.base}"

    @property
    def host(self) -> str:
        return urlsplit(self.server).netloc


def front(document: Document, *, public_url: str, auth_methods: tuple[str, ...], header: str, title: str) -> Front:
    """Raises DocumentError for an address that is none, and when there is no way to show a key."""
    info = document.data.get("info")
    said: Mapping[str, Any] = info if isinstance(info, Mapping) else {}
    version = said.get("version")
    if isinstance(version, int | float) and not isinstance(version, bool):
        version = str(version)
    return Front(
        title=cut(clean(said.get("title")) or clean(title) or "API", MOST_TITLE),
        about=cut(clean(said.get("description")), MOST_ABOUT),
        version=clean(version)[:60] or "1",
        url=public(public_url),
        base=document.base_path,
        method=_method(auth_methods, header),
        header=header,
    )


def public(public_url: str) -> SplitResult:
    """The public address, taken apart. Raises DocumentError."""
    try:
        url = urlsplit(public_url.rstrip("/"))
        good = url.scheme in ("http", "https") and bool(url.hostname) and (url.port or 1) > 0
    except ValueError:
        good = False
    if not good or "@" in url.netloc or url.query or url.fragment:
        raise DocumentError("the public address is not a plain http(s) URL")
    return url


def scheme(found: Front, *, old: bool = False) -> dict[str, str]:
    """The security scheme, in the words of OpenAPI 3 or of Swagger 2.0."""
    if found.method == "api-key":
        return {"type": "apiKey", "name": found.header, "in": "header"}
    if found.method == "basic":
        return {"type": "basic"} if old else {"type": "http", "scheme": "basic"}
    return {"type": "apiKey", "name": "Authorization", "in": "header"} if old else {"type": "http", "scheme": "bearer"}


def _method(methods: tuple[str, ...], header: str) -> str:
    method = methods[0] if methods else ""
    if method in ("basic", "bearer", "oauth") or (method == "api-key" and _HEADER.fullmatch(header)):
        return method
    raise DocumentError(
        "no way to show a key can be put into the document",
        'set auth.methods to "api-key", "bearer" or "basic", and auth.header to the name of a header',
    )
