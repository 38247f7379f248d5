"""What an operation's parameters say of it: addresses to fetch, code to run, places on the host. Pure."""

from collections.abc import Iterator

from exposer.openapi.model import Level
from exposer.openapi.risk import words as table
from exposer.openapi.risk.asked import only_asks
from exposer.openapi.risk.view import Parameter, View

Found = Iterator[tuple[Level, str]]


def risky(view: View) -> Found:
    """Each parameter that gives the caller more than a choice among the data."""
    listed = bool(table.PAGE_NAMES & frozenset(parameter.name for parameter in view.parameters))
    asked = view.body if view.method == "POST" and only_asks(view) else ()  # other bodies are writes anyway
    for parameter in (*view.parameters, *asked):
        if parameter.place in ("query", "path", "body", "formData"):
            yield from _address(parameter, listed)
            yield from _code(parameter)
            yield from _place(parameter, view)
            yield from _switch(parameter)
    yield from _any_path(view)


def _address(parameter: Parameter, listed: bool) -> Found:
    """An address to fetch, unless it only filters a list that comes in pages."""
    if not parameter.is_text or (parameter.place == "path" and parameter.name == "link"):
        return
    formatted = parameter.schema.get("format") in ("uri", "url", "iri")
    if parameter.name not in table.URL_NAMES and not parameter.name.endswith(table.URL_ENDINGS) and not formatted:
        return
    if any(part in parameter.name for part in table.WAY_BACK):
        yield Level.CAUTION, f"the parameter {parameter.name} sends the caller to an address"
    elif listed and not parameter.required:
        yield Level.CAUTION, f"the parameter {parameter.name} may make the backend fetch an address"
    else:
        yield Level.DANGER, f"the parameter {parameter.name} makes the backend fetch an address"


def _code(parameter: Parameter) -> Found:
    if parameter.is_text and parameter.name in table.CODE_NAMES:
        yield Level.DANGER, f"the parameter {parameter.name} is run by the backend"
    if table.SECRET_WORDS & frozenset(parameter.words) and parameter.place == "query":
        yield Level.DANGER, f"the parameter {parameter.name} has to do with secrets"


def _place(parameter: Parameter, view: View) -> Found:
    if parameter.place != "query" or parameter.name not in table.PLACE_NAMES or not parameter.is_text:
        return
    path = view.path.lower()
    on_host = any(piece in path for piece in table.PLACE_PIECES)
    yield (
        (Level.DANGER, f"the parameter {parameter.name} is a place on the machine")
        if on_host
        else (Level.CAUTION, f"the parameter {parameter.name} may be a place on the machine")
    )


def _switch(parameter: Parameter) -> Found:
    if parameter.place != "query":
        return
    if parameter.name == "print":
        yield Level.DANGER, "the parameter print makes the machine print"
    if parameter.name in table.FOLLOW_NAMES and parameter.schema.get("type") == "boolean":
        if parameter.schema.get("default") is True:
            yield Level.DANGER, "it streams without end unless told otherwise"
        else:
            yield Level.CAUTION, f"with the parameter {parameter.name} it streams without end"


def _any_path(view: View) -> Found:
    """A parameter that stands for a whole path of something else."""
    last = view.path.rstrip("/").rpartition("/")[2]
    name = last.strip("{}*").lower() if last.startswith("{") and last.endswith("}") else ""
    if name and any(part in name for part in table.ANY_PATH):
        yield Level.DANGER, f"the parameter {name} stands for any path"
    if name in ("path", "filepath", "file", "filename") and not view.static:
        yield Level.DANGER, "it answers to any path"
    if name in table.FILE_NAMES:
        level = Level.CAUTION if view.describes_an_object else Level.DANGER
        yield level, f"the parameter {name} names a file"
