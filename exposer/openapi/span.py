"""Which path parameters may span several segments: only those of which the document says so. Pure.

It says so by the name in the template (`{+path}`, `{path*}`, `{*path}`, `{path...}`, `{path+}`, `{path:path}`), by a
template that ends in `/*` or `/**`, by `x-multi-segment`, `x-exposer-multi-segment` or `allowReserved` being true, or
by a `pattern` that takes a slash. A pattern alone does not open a template that begins with its parameter: that would
be the whole backend.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from exposer.openapi import refs
from exposer.openapi.model import Document

STARS = ("*", "**")
SAYS_SO = ("x-multi-segment", "x-exposer-multi-segment", "allowReserved")
_BRACES = re.compile(r"\{([^{}/]+)\}")
_GREEDY = re.compile(r"[+*].+|.+[+*]|.+\.\.\.", re.DOTALL)
_ANYTHING = ("path", ".*", ".+")
_WITH_SLASH = ("a/b", "a/b/c", "A/B", "1/2", "a-b/c_d.e")
_LONGEST = 300
_REPEATS = 6  # a hostile pattern with more of them could take for ever over the shortest example
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_CLASS = re.compile(r"\[[^\]]*\]")
_REPEATED = re.compile(r"[*+?{]")


def wide(document: Document, path: str, item: Mapping[str, Any], raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The parameters of a template that may span segments, as they are written in it; "*" or "**" for its end."""
    names = _BRACES.findall(path)
    described = dict(parameters(document, item, raw, "path")) if names else {}
    found = [name for name in names if _is_greedy(name) or _is_described_so(document, path, name, described)]
    last = path.rpartition("/")[2]
    return tuple(dict.fromkeys([*found, *([last] if last in STARS else [])]))


def parameters(
    document: Document, item: Mapping[str, Any], raw: Mapping[str, Any], place: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The parameters of a place, with their names; the operation's own come last, and win."""
    for owner in (item, raw):
        nodes = owner.get("parameters")
        for node in nodes if isinstance(nodes, list) else ():
            target = refs.follow(document.data, node)
            if isinstance(target, Mapping) and target.get("in") == place and isinstance(target.get("name"), str):
                yield target["name"], target


def _is_greedy(name: str) -> bool:
    bare, _, constraint = name.partition(":")
    return _GREEDY.fullmatch(bare) is not None or constraint in _ANYTHING


def _is_described_so(document: Document, path: str, name: str, described: Mapping[str, Mapping[str, Any]]) -> bool:
    node = described.get(name) or described.get(re.split("[:!]", name)[0]) or {}
    schema = refs.follow(document.data, node.get("schema"))
    both = [each for each in (node, schema) if isinstance(each, Mapping)]
    if any(each.get(word) is True for each in both for word in SAYS_SO):
        return True
    rooted = "{" in path.split("/")[1]
    return not rooted and any(_takes_a_slash(each.get("pattern")) for each in both)


def _takes_a_slash(pattern: Any) -> bool:
    """Whether a pattern speaks of slashes, or of anything at all, and takes an example with one as a whole."""
    if not isinstance(pattern, str) or len(pattern) > _LONGEST or not re.search(r"/|\.[*+]", pattern):
        return False
    bare = _CLASS.sub("x", _ESCAPED.sub("x", pattern)).replace("(?", "(")
    if len(_REPEATED.findall(bare)) > _REPEATS:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return any(compiled.fullmatch(example) for example in _WITH_SLASH)
