"""How the usual backends may read a raw path, and what a template means: written apart from the gateway's own code."""

import posixpath
import re
from urllib.parse import unquote, unquote_to_bytes


def readings(path: str) -> set[str]:
    """The path as it is, decoded once and twice, normalised, without parameters, with backslashes as slashes."""
    found = {path}
    for _ in range(3):
        found |= {unquote(p, errors="replace") for p in found}
        found |= {p.replace("\\", "/") for p in found}
        found |= {re.sub(r";[^/]*", "", p) for p in found}
        found |= {re.sub(r"/{2,}", "/", p) for p in found}
        found |= {p.split("\0")[0] for p in found}
        found |= {re.split(r"[?#]", p)[0] for p in found}
    found |= {_normal(p) for p in found}
    return found | {p.rstrip("\n\r\t ") or "/" for p in found}


def means(template: str, raw: str) -> bool:
    """Whether a raw path is a call of that template, by decoding both and comparing segment by segment."""
    ours, theirs = template.split("/"), raw.split("/")
    return len(ours) == len(theirs) and all(map(_segment_means, ours, theirs))


def _segment_means(template: str, raw: str) -> bool:
    shape = "".join(
        ".+" if re.fullmatch(r"\{[^{}/]*\}", piece) else re.escape(unquote_to_bytes(piece).decode())
        for piece in re.split(r"(\{[^{}/]*\})", template)
        if piece
    )
    try:
        text = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        return False
    return re.fullmatch(shape, text, re.DOTALL) is not None


def _normal(path: str) -> str:
    done = posixpath.normpath("/" + path.lstrip("/"))
    return done + "/" if path.endswith("/") and done != "/" else done
