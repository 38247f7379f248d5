"""What can be seen of one operation, taken apart once: its words by place, parameters and answers. Never raises."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from exposer.openapi import refs
from exposer.openapi.model import Operation

MAX_TEXT = 600
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")
_TAG = re.compile(r"<[^<>]{1,200}>")
_PARAMETER = re.compile(r"\{[^{}]*\}")
_SENTENCE = re.compile(r"[.!?。!?\n]")
_JOINT = re.compile(r"[\W_]+")


def words(text: str) -> tuple[str, ...]:
    """`getAPIKeys`, `get-api_keys` → get, api, keys; accents are left out."""
    if not text.isascii():
        text = _plain(text)
    return tuple(found.lower() for found in _WORD.findall(text))


def joined(text: str) -> str:
    """`image_url`, `imageUrl` → imageurl."""
    return _JOINT.sub("", text).lower()


def folded(text: str) -> str:
    """For looking for pieces of text: lower case, without accents and tags."""
    text = _TAG.sub(" ", text) if "<" in text else text
    return (text if text.isascii() else _plain(text)).lower()


def _plain(text: str) -> str:
    """Without the accents of Latin letters; other scripts stay as they are."""
    pieces = []
    for char in text.replace("ß", "ss"):
        base = unicodedata.normalize("NFD", char)[0] if char < "ɐ" else char
        pieces.append(base if base.isascii() or char >= "ɐ" else char)
    return "".join(pieces)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that a caller fills in; `name` without "_" and "-"."""

    name: str
    words: tuple[str, ...]
    place: str
    required: bool
    schema: Mapping[str, Any]

    @property
    def is_text(self) -> bool:
        return self.schema.get("type") not in ("boolean", "integer", "number") and not self.schema.get("enum")


class View:
    """An operation as the rules see it. `item` is its operation object, `data` the whole document."""

    def __init__(self, operation: Operation, item: Any, data: Any = None) -> None:
        self.method = operation.method.upper()
        self.path = operation.path
        self.item: Mapping[str, Any] = item if isinstance(item, Mapping) else {}
        self.data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        self.tags = operation.tags
        self._given = operation

    @cached_property
    def static(self) -> tuple[str, ...]:
        """The segments that are no parameters; of a mixed one what is written out."""
        found = (_PARAMETER.sub(" ", segment).strip() for segment in self.path.split("/"))
        return tuple(segment for segment in found if segment)

    @cached_property
    def segments(self) -> tuple[tuple[str, ...], ...]:
        return tuple(found for segment in self.static if (found := words(segment)))

    @cached_property
    def path_words(self) -> tuple[str, ...]:
        return tuple(word for segment in self.segments for word in segment)

    @property
    def last(self) -> tuple[str, ...]:
        """The words of the last written-out segment."""
        return self.segments[-1] if self.segments else ()

    @property
    def ends_in_parameter(self) -> bool:
        return self.path.rstrip("/").endswith("}")

    @cached_property
    def id_words(self) -> tuple[str, ...]:
        """The words of the document's own id, without those of the path's parameters, which some ids repeat."""
        given = self.item.get("operationId")
        if not isinstance(given, str):
            return ()
        named = {word for name in _PARAMETER.findall(self.path) for word in words(name)}
        return tuple(word for word in words(given.rpartition("/")[2]) if word not in named)

    @cached_property
    def description(self) -> str:
        given = self.item.get("description")
        return folded(given[:MAX_TEXT]) if isinstance(given, str) else ""

    @cached_property
    def summary(self) -> str:
        """The summary, or else the first sentence of the description."""
        given = self.item.get("summary")
        given = given if isinstance(given, str) and given.strip() else self._given.summary
        text = folded(given[:MAX_TEXT]) if given else _SENTENCE.split(self.description.strip(), maxsplit=1)[0][:160]
        return text.strip()

    @cached_property
    def summary_words(self) -> tuple[str, ...]:
        return words(self.summary)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        given = self.item.get("parameters")
        return tuple(self._parameters(given if isinstance(given, list) else []))

    def _parameters(self, given: list[Any]) -> Iterator[Parameter]:
        for raw in given:
            found = refs.follow(self.data, raw)
            if not isinstance(found, Mapping) or not isinstance(found.get("name"), str):
                continue
            schema = refs.follow(self.data, found.get("schema"))
            place = found.get("in")
            yield Parameter(
                name=joined(found["name"]),
                words=words(found["name"]),
                place=place if isinstance(place, str) else "",
                required=found.get("required") is True,
                schema=schema if isinstance(schema, Mapping) else {},
            )

    @cached_property
    def body(self) -> tuple[Parameter, ...]:
        """The properties of a body, as parameters whose place is the body."""
        body = refs.follow(self.data, self.item.get("requestBody"))
        content = body.get("content") if isinstance(body, Mapping) else None
        found: list[Any] = []
        for media in content.values() if isinstance(content, Mapping) else ():
            schema = refs.follow(self.data, media.get("schema")) if isinstance(media, Mapping) else None
            properties = schema.get("properties") if isinstance(schema, Mapping) else None
            if isinstance(properties, Mapping):
                found += [{"name": name, "in": "body", "schema": raw} for name, raw in properties.items()]
        return tuple(self._parameters(found))

    @cached_property
    def _good_answers(self) -> tuple[Mapping[str, Any], ...]:
        """The `content` of the answers that mean success."""
        responses = self.item.get("responses")
        found: list[Mapping[str, Any]] = []
        for status, raw in responses.items() if isinstance(responses, Mapping) else ():
            if str(status)[:1] != "2" and str(status) != "default":
                continue
            response = refs.follow(self.data, raw)
            content = response.get("content") if isinstance(response, Mapping) else None
            if isinstance(content, Mapping) and (str(status) != "default" or not found):
                found.append(content)
        return tuple(found)

    @cached_property
    def media(self) -> frozenset[str]:
        """The media types of a good answer, lower case, without parameters."""
        names = (str(name) for content in self._good_answers for name in content)
        return frozenset(name.split(";")[0].strip().lower() for name in names)

    @cached_property
    def streams(self) -> bool:
        """A media type with a parameter that says so, such as `application/json;stream=watch`, alone."""
        names = [str(name) for content in self._good_answers for name in content]
        return bool(names) and all(";stream=" in name for name in names)

    @cached_property
    def answers(self) -> tuple[Mapping[str, Any], ...]:
        """The schemas of a good answer."""
        found = []
        for content in self._good_answers:
            for media in content.values():
                schema = refs.follow(self.data, media.get("schema")) if isinstance(media, Mapping) else None
                if isinstance(schema, Mapping):
                    found.append(schema)
        return tuple(found)

    @cached_property
    def describes_an_object(self) -> bool:
        """Whether the document says of the answer that it is an object or a list: then it is no file."""
        keys = ("properties", "items", "additionalProperties", "allOf", "anyOf", "oneOf")
        return any(is_json(name) for name in self.media) and any(
            any(key in schema for key in keys) or schema.get("type") in ("object", "array") for schema in self.answers
        )


def is_json(media: str) -> bool:
    return media.endswith(("/json", "+json", "*/*")) or media in ("text/json", "application/*")
