"""Collects the findings of one fitting, each step said once for each place."""

from exposer.openapi.fit.clients import Client
from exposer.openapi.fit.steps import STEPS
from exposer.openapi.model import Finding


class Notes:
    """What was found, in order."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._found: dict[tuple[str, str], list[str]] = {}
        self._remains: set[tuple[str, str]] = set()

    def add(self, step: str, where: str, what: str, *, remains: bool = False) -> None:
        said = self._found.setdefault((where, step), [])
        if what not in said:
            said.append(what)
        if remains:
            self._remains.add((where, step))

    def findings(self) -> tuple[Finding, ...]:
        return tuple(
            STEPS[step].finding(
                where, "; ".join(said), openai=self._client.openai, remains=(where, step) in self._remains
            )
            for (where, step), said in self._found.items()
        )
