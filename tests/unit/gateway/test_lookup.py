"""Looking at how a path begins saves time and decides nothing."""

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from exposer.gateway import lookup, paths
from exposer.gateway.lookup import Map
from exposer.gateway.policy import Route, route
from tests.support.gateway import op

WORDS = ("a", "A", "b", "api", "v1", "things", "Things", "x+y", "x%2By", "export", "")
PARTS = st.sampled_from(("a", "A", "b", "api", "v1", "things", "Things", "x+y", "export", "{id}", "v{id}", "{id}.json"))
TEMPLATES = st.builds(
    lambda parts, end: "/" + "/".join(parts) + end,
    st.lists(PARTS, min_size=1, max_size=5),
    st.sampled_from(("", "", "/")),
)
CALLS = st.builds(lambda parts: "/" + "/".join(parts), st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))


def read(maps: list[Map], variable: str, values: dict[str, str]) -> str:
    """What nginx makes of a variable: plain texts in any case, then patterns in order."""
    found = next((each for each in maps if each.variable == variable), None)
    if found is None:
        return values[variable]
    source = re.sub(r"\$\w+", lambda name: read(maps, name[0], values), found.source.strip('"'))
    plain = {key.lower(): value for key, value in found.entries if not key.startswith("~")}
    value = plain.get(source.lower()) or next(
        (value for key, value in found.entries if key.startswith("~") and re.search(key[1:], source)), found.otherwise
    )
    return read(maps, value, values) if value.startswith("$") else value.strip('"')


def one_by_one(routes: list[Route], path: str) -> str:
    """The rule itself: the first whose pattern matches and that need not step back."""
    for each in routes:
        if re.fullmatch(each.pattern.body, path) and not any(re.fullmatch(guard, path) for guard in each.guards):
            return each.operation
    return ""


def made(templates: list[str], hidden: list[str]) -> tuple[list[Route], int, list[Map]]:
    routes = list(
        route([op("GET", each) for each in dict.fromkeys(templates)], [op("GET", each) for each in hidden])[0]
    )
    methods = {"GET": routes, "HEAD": routes}
    deep = lookup.depth(methods)
    maps = list(lookup.maps("$published", methods, deep))
    return (
        routes,
        deep,
        [replace(each, entries=tuple((k.replace("\\z", "\\Z"), v) for k, v in each.entries)) for each in maps],
    )


@settings(deadline=None, max_examples=300)
@given(st.lists(TEMPLATES, min_size=1, max_size=30), st.lists(TEMPLATES, max_size=3), st.lists(CALLS, min_size=5))
def test_a_path_is_the_operation_that_trying_each_pattern_would_find(
    templates: list[str], hidden: list[str], calls: list[str]
) -> None:
    routes, deep, maps = made(templates, hidden)
    for path in calls:
        known = re.fullmatch(paths.canonical_pattern(deep), path)
        if known is None or not routes:
            continue
        values = {"$request_method": "HEAD", "$path": path, "$path_head": known["path_head"] or ""}
        assert read(maps, "$published", values) == one_by_one(routes, path), path


def test_many_operations_take_one_table_and_few_patterns() -> None:
    _, deep, maps = made([f"/v1/things{n}" + ("/{id}" if n % 2 else "") for n in range(200)], [])
    assert deep == 2
    table = maps[-1]
    assert (table.variable, table.source, len(table.entries)) == ("$published", '"$request_method$path_head"', 400)
    assert len(maps) <= lookup.MOST_TABLES + 1
    assert max(len(each.entries) for each in maps[:-1]) <= 4


def test_a_head_that_is_not_always_written_the_same_is_none() -> None:
    for template in ("/x+y/a", "/{id}/a", "/é", "/"):
        pattern = paths.pattern(template)
        assert pattern is not None
        assert paths.head(pattern, 2) == ""
    pattern = paths.pattern("/Api/Things/")
    assert pattern is not None
    assert [paths.head(pattern, deep) for deep in (1, 2, 3)] == ["/api", "/api/things", "/api/things"]
