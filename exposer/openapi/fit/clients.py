"""Whom a document can be made for, and what each of them takes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from exposer.openapi.model import DocumentError

JSON = "json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Client:
    """What an importer takes. Sizes are bytes of JSON, texts are characters; 0 means no limit is known or set.

    `lists`: arrays in the query may stay arrays. `maps`: an object may have fields that nobody declared.
    """

    name: str
    says: str
    operations: int = 0
    text: int = 1000
    parameter_text: int = 699
    answer: int = 4000
    body: int = 24_000
    document: int = 0
    media: tuple[str, ...] = (JSON,)
    lists: bool = True
    maps: bool = True

    @property
    def openai(self) -> bool:
        return self.name in ("gpt-action", "openapi")


CLIENTS: Mapping[str, Client] = {
    client.name: client
    for client in (
        Client(
            "gpt-action",
            "ChatGPT",
            operations=30,
            text=299,
            body=12_000,
            document=100_000,
            lists=False,
            maps=False,
        ),
        Client("mcp", "an MCP client", answer=0, media=(JSON, FORM)),
        Client("openapi", "the client", media=(JSON, FORM)),
        Client("copilot", "Copilot Studio", answer=2000, body=12_000, maps=False),
    )
}

# When a document is over its budget, each rung takes less of every operation.
_RUNGS = ((1, 1), (2, 2), (4, 3), (8, 4), (40, 6))


def client_named(name: str) -> Client:
    """The client of that name. Raises DocumentError."""
    if name not in CLIENTS:
        raise DocumentError(f"there is no client {name!r}", f"schema.client is one of {', '.join(CLIENTS)}")
    return CLIENTS[name]


def efforts(wanted: Client) -> tuple[Client, ...]:
    """The same client with ever smaller budgets for one operation."""
    return tuple(
        replace(
            wanted,
            answer=wanted.answer // less,
            body=wanted.body // fewer,
            parameter_text=wanted.parameter_text // (less if less < 8 else 8),
        )
        for less, fewer in (_RUNGS if wanted.document else _RUNGS[:1])
    )
