"""The self-test's own keys: the gateway knows them from the beginning, and lets them in only while it is asked."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from exposer.errors import ExposerError
from exposer.gateway.passer import Passer, passers
from exposer.gateway.policy import Policy
from exposer.keys.model import Ring
from exposer.keys.ring import mint
from exposer.secret import Secret

FILE = "tests.keys"  # in the gateway's folder


class Vault(Protocol):
    """Encrypts what is kept on the disk, and decrypts it again. Both raise ExposerError, ValueError or OSError."""

    def seal(self, text: str) -> str: ...
    def unseal(self, sealed: str) -> str: ...


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key made for the self-test alone. The gateway lets it in only while the self-test says so; whenever else it is
    a key that was revoked. `passer` is how the gateway knows it, None for one that is taken up again."""

    id: str
    clear: Secret
    passer: Passer | None = None


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """`revoked` is never let in, `inside` while we ask the gateway itself, `outside` while we ask the public address:
    with one for each of these no limit is in the way."""

    revoked: OwnKey
    inside: OwnKey
    outside: OwnKey

    def __iter__(self) -> Iterator[OwnKey]:
        return iter((self.revoked, self.inside, self.outside))

    @property
    def passers(self) -> tuple[Passer, ...]:
        return tuple(key.passer for key in self if key.passer is not None)


def mint_keys(policy: Policy) -> OwnKeys:
    """Three new keys that the gateway will know."""
    made = []
    for label in ("revoked", "inside", "outside"):
        ring, clear = mint(Ring(policy.salt), label, 0.0)
        known = replace(passers(ring.keys, (), 0.0)[0], label="", passes=False, is_test=True)
        made.append(OwnKey(known.id, clear, known))
    return OwnKeys(*made)


def sealed(keys: OwnKeys | None, vault: Vault | None) -> str:
    """For a file, so that a supervisor that takes the gateway over can ask with them too; "" when that cannot be."""
    if keys is None or vault is None:
        return ""
    try:
        return vault.seal(json.dumps([[key.id, key.clear.reveal()] for key in keys]))
    except (ExposerError, ValueError, OSError):
        return ""


def unsealed(text: str, vault: Vault | None) -> OwnKeys | None:
    """Those of an earlier supervisor; None when it has left none, or they cannot be read any more."""
    if not text or vault is None:
        return None
    try:
        return OwnKeys(*(OwnKey(str(id_), Secret(str(clear))) for id_, clear in json.loads(vault.unseal(text))))
    except (ExposerError, ValueError, OSError, TypeError):
        return None
