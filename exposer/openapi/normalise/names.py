"""Names for shared components: legal, readable, and no two alike. Pure."""

import hashlib
import re
from collections.abc import Container
from urllib.parse import quote

LEGAL = re.compile(r"[A-Za-z0-9._-]+")
_ODD = re.compile(r"[^A-Za-z0-9.-]+")
_BOILERPLATE = frozenset(
    ("paths", "components", "content", "schema", "schemas", "responses", "parameters", "definitions")
)
MAX_NAME = 60


def free_name(wish: str, taken: Container[str], unique: str) -> str:
    """The wish with only legal characters; where it is taken with a number behind it, or a hash of what is unique."""
    legal = wish if LEGAL.fullmatch(wish) else _ODD.sub("_", wish).strip("_")
    name = legal[:MAX_NAME] or "unnamed"
    digest = hashlib.sha256(unique.encode(errors="replace")).hexdigest()
    wishes = (name, *(f"{name}_{number}" for number in range(2, 10)), f"{name}_{digest[:16]}")
    return next((found for found in wishes if found not in taken), f"{name}_{digest}")


def wish_for(names: tuple[str, ...]) -> str:
    """What a thing could be called that was found at these names: the telling ones of them."""
    telling = [name for name in names if name not in _BOILERPLATE]
    return "_".join(telling or names)[-MAX_NAME * 2 :][:MAX_NAME]


def reference(names: tuple[str, ...]) -> str:
    """The reference to a place in the document itself."""
    written = (name.replace("~", "~0").replace("/", "~1") for name in names)
    return "#/" + "/".join(quote(name, safe="~!$&'()*+,;=:@-._", errors="replace") for name in written)
