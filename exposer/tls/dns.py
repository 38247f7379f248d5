"""The answer to an authority's check by DNS (DNS-01): an own program puts a TXT record in place, and removes it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from exposer import procs
from exposer.errors import ExposerError, MissingError

SECONDS = 60.0  # so long the program may take


@dataclass(frozen=True, slots=True)
class DnsHook:
    """`argv` gets JSON on its standard input: `action` ("add" or "remove"), `name` and `value` of the record. Name
    servers get `wait` seconds until all of them know it."""

    argv: tuple[str, ...]
    wait: float = 30.0

    @contextmanager
    def record(self, name: str, value: str) -> Iterator[None]:
        """Has the record there for a while. It is removed whatever happens, and a failure of that hinders nothing: what
        stands in it is no secret, and of no use to anybody else. Raises ExposerError."""
        try:
            self._call("add", name, value)
            procs.pause(self.wait)
            yield
        finally:
            try:
                self._call("remove", name, value)
            except ExposerError:
                pass

    def _call(self, action: str, name: str, value: str) -> None:
        told = {"schema": 1, "event": "dns_challenge", "action": action, "type": "TXT", "name": name, "value": value}
        program, hint = self.argv[0], "look at tunnel.dns_hook"
        try:
            done = procs.run(self.argv, SECONDS, stdin=json.dumps(told, sort_keys=True).encode())
        except FileNotFoundError:
            raise MissingError(f"{program}: there is no such program", hint) from None
        except TimeoutError as error:
            raise ExposerError(str(error), hint) from None
        except OSError as error:
            raise ExposerError(f"{program}: {error.strerror}", hint) from None
        if done.code:
            said = (done.err or done.out).strip()[-200:]
            raise ExposerError(f"{program} ended with code {done.code}: {said}" if said else f"{program} failed", hint)
