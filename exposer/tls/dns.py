"""The answer to an authority's check by DNS (DNS-01): an own program puts a TXT record in place, and removes it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from exposer import files, procs
from exposer.errors import ExposerError, MissingError, of_system

SECONDS = 60.0  # so long the program may take
MOST = 16  # records that could not be removed are remembered, the newest

Record = tuple[str, str]  # name and value


@dataclass(frozen=True, slots=True)
class DnsHook:
    """`argv` gets JSON on its standard input: `action` ("add" or "remove"), `name` and `value` of the record. Name
    servers get `wait` seconds until all of them know it. The file `memory` names the records that are there: what
    somebody has left who was killed, the next one removes."""

    argv: tuple[str, ...]
    wait: float = 30.0
    memory: Path | None = None

    @contextmanager
    def record(self, name: str, value: str) -> Iterator[None]:
        """Has the record there for a while. It is removed whatever happens, and a failure of that hinders nothing: what
        stands in it is no secret, and of no use to anybody else. Raises ExposerError."""
        left = self._remove(self._remembered())
        self._remember([*left, (name, value)])
        try:
            self._call("add", name, value)
            procs.pause(self.wait)
            yield
        finally:
            left += self._remove([(name, value)])
            with suppress(ExposerError):
                self._remember(left)

    def _remove(self, records: Sequence[Record]) -> list[Record]:
        """The ones that could not be removed."""
        left = []
        for name, value in records:
            try:
                self._call("remove", name, value)
            except ExposerError:
                left.append((name, value))
        return left

    def _remembered(self) -> list[Record]:
        try:
            kept = json.loads(files.read_private(str(self.memory))) if self.memory else []
            return [(str(name), str(value)) for name, value in kept]
        except (OSError, ValueError, TypeError):
            return []

    def _remember(self, records: Sequence[Record]) -> None:
        if self.memory is None:
            return
        try:
            if records:
                files.swap(str(self.memory), json.dumps(records[-MOST:]).encode())
            else:
                self.memory.unlink(missing_ok=True)
        except OSError as error:
            raise of_system(error) from None

    def _environment(self) -> dict[str, str]:
        """With our mark: a program whose supervisor has died is still found by it."""
        return procs.child_environment(procs.mark(str(self.memory)) if self.memory else None)

    def _call(self, action: str, name: str, value: str) -> None:
        told = {"schema": 1, "event": "dns_challenge", "action": action, "type": "TXT", "name": name, "value": value}
        program, hint = self.argv[0], "look at tunnel.dns_hook"
        try:
            done = procs.run(
                self.argv, SECONDS, stdin=json.dumps(told, sort_keys=True).encode(), env=self._environment()
            )
        except FileNotFoundError:
            raise MissingError(f"{program}: there is no such program", hint) from None
        except TimeoutError as error:
            raise ExposerError(str(error), hint) from None
        except OSError as error:
            raise ExposerError(f"{program}: {error.strerror}", hint) from None
        if done.code:
            said = (done.err or done.out).strip()[-200:]
            raise ExposerError(f"{program} ended with code {done.code}: {said}" if said else f"{program} failed", hint)
