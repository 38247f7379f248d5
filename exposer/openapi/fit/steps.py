"""What fitting changes, and the importer's message that each change prevents: the one table that everything quotes."""

from collections.abc import Mapping
from dataclasses import dataclass

from exposer.openapi.model import Finding

SILENT = "no message: "  # how the importers fail that say nothing


@dataclass(frozen=True, slots=True)
class Step:
    """One row. `changes` is what is done, `prevents` what ChatGPT's importer says otherwise (LibreChat says the same);
    `elsewhere` what happens in a client that takes another format."""

    name: str
    changes: str
    prevents: str
    elsewhere: str = ""

    def finding(self, where: str, what: str, *, openai: bool = True, remains: bool = False) -> Finding:
        prevents = self.prevents if openai or not self.elsewhere else self.elsewhere
        return Finding(where, what, prevents, self.name, remains)


_ROWS = (
    Step(
        "version",
        "the document is written in the version that the client reads",
        "('openapi',): Input should be '3.1.1' or '3.1.0'",
        "a custom connector takes Swagger 2.0 only",
    ),
    Step(
        "server",
        "one address: https, small letters, no port, with the base path",
        "None of the provided servers is under the root origin",
    ),
    Step("security", "the gateway's one way to show a key", "Found multiple security schemes, only 1 is supported"),
    Step(
        "packs",
        "more operations than one document may have are dealt out to several",
        "OpenAPI spec can have a maximum of 30 operations",
    ),
    Step(
        "hostnames",
        "nothing: each further pack needs a host name of its own",
        "Action sets cannot have duplicate domains - it already exists on another action",
    ),
    Step(
        "crowd",
        "nothing: it is up to you",
        f"{SILENT}with too many tools a model picks the wrong one, or none is taken",
    ),
    Step("paths", "nothing: no operation is left", "No paths found in the OpenAPI spec"),
    Step(
        "method",
        "methods other than GET, POST, PUT, PATCH and DELETE are left out",
        "Path P has unrecognized method head; skipping",
    ),
    Step(
        "operation-id",
        "every operation has a unique name of letters, digits, _ and -, 64 at most",
        "In path P, method M is missing operationId; skipping",
    ),
    Step(
        "hidden",
        "operations that the document marks with x-exposer-hide are left out",
        f"{SILENT}the model would be offered what its owner wants hidden",
    ),
    Step(
        "inline",
        "every parameter is written out where it is used",
        "parameter {'$ref': …} has missing or non-string name; skipping",
    ),
    Step(
        "headers",
        "header parameters are left out; a required one with one possible value is added by the gateway",
        "parameter X has location header; ignoring",
        f"{SILENT}the client does not send header parameters",
    ),
    Step("cookies", "cookie parameters are left out", f"{SILENT}no cookie is sent or kept between calls"),
    Step(
        "duplicates",
        "of two parameters with one name, the one in the path stays",
        "parameter X is duplicated; skipping function due to errors",
    ),
    Step(
        "lists",
        "a list in the query is offered as one value, or as values with commas where the document says so",
        f"{SILENT}lists are not sent as repeated parameters, so the backend gets one odd value",
    ),
    Step("objects", "an object in the query is left out", f"{SILENT}objects in the query are not sent"),
    Step(
        "body",
        "a body is one JSON object; an optional body of another kind is left out",
        "request body schema is not an object schema; skipping",
    ),
    Step(
        "properties", "every object says its properties, if only that it has none", "object schema missing properties"
    ),
    Step(
        "free-form",
        "nothing: fields that the document does not name cannot be sent",
        "UnrecognizedKwargsError: the fields of this object are not declared",
    ),
    Step(
        "unions",
        "of oneOf and anyOf the null goes; objects become one, of other kinds the first stays",
        "request body schema is not an object schema; skipping",
        f"{SILENT}unions are taken for empty",
    ),
    Step(
        "dangling",
        "what refers to nothing is said to be anything",
        "reference to unknown component X; using empty schema",
    ),
    Step(
        "cycles",
        "a schema that holds itself is cut with a plain object",
        "Components section contains a circular dependency",
        f"{SILENT}the importer goes round in circles",
    ),
    Step(
        "answers",
        "the description of answers is cut to a budget: the outer levels stay",
        f"{SILENT}one operation would drag in hundreds of kilobytes, and the document is not taken",
    ),
    Step(
        "inputs",
        "what is described of a body is cut to a budget",
        f"{SILENT}one operation would drag in hundreds of kilobytes, and the document is not taken",
    ),
    Step(
        "texts",
        "texts are cut at a word: 299 characters for an operation, 699 for a parameter",
        "description has length N exceeding limit of 300",
        f"{SILENT}long texts crowd out the conversation",
    ),
    Step(
        "summary",
        "an operation without any text gets a summary made of its method and path",
        f"{SILENT}the model has only the name to go by",
    ),
)

STEPS: Mapping[str, Step] = {row.name: row for row in _ROWS}
