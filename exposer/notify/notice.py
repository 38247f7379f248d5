"""A notice: something that happened and that somebody wants to hear of."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """`kind` is a stable word for programs, `text` a sentence for people. The same `id` is the same notice again."""

    name: str
    kind: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: f"msg_{os.urandom(12).hex()}")

    def as_json(self) -> bytes:
        told = {
            "schema": 1,
            "id": self.id,
            "event": self.kind,
            "name": self.name,
            "at": datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "text": self.text,
            "data": dict(self.data),
        }
        return json.dumps(told, ensure_ascii=False, sort_keys=True).encode(errors="replace")


class Destination(Protocol):
    """Somebody who can be told. `label` has no secret in it."""

    @property
    def label(self) -> str: ...

    def send(self, notice: Notice) -> None:
        """Blocks until it has arrived, or for a minute or two. Raises ExposerError, with no secret in its text."""
