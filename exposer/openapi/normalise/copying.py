"""Copies parts of a document, so that nothing stands in two places; what all copies cost together is bounded. Pure."""

from typing import Any

from exposer.openapi.model import DocumentError

MAX_COPIED = 2_000_000


class Copier:
    """A deep copy of plain values. Recursion is fine: nothing that was read is deeper than `text.MAX_DEPTH`."""

    def __init__(self, limit: int = MAX_COPIED) -> None:
        self._left = limit

    def copy(self, node: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise DocumentError(
                "the document grows too large when its references are followed",
                "make a smaller one with the calls you need and point backend.openapi to that file",
            )
        if isinstance(node, dict):
            return {key: self.copy(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self.copy(item) for item in node]
        return node
