"""The key ring: mint, rotate with an overlap, revoke. Pure: time and randomness come from outside."""

import base64
import hashlib
import re
import secrets
import zlib
from collections.abc import Callable
from dataclasses import replace

from exposer.errors import ExposerError, UsageError
from exposer.keys.model import Key, KeyState, Ring
from exposer.secret import Secret

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
KEY_PATTERN = re.compile(r"exp_([a-z0-9]{8})_([A-Za-z0-9]{43})_([A-Za-z0-9]{6})")
LABEL_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")

Choose = Callable[[str, int], str]


def random_text(alphabet: str, length: int) -> str:
    """So many characters of the alphabet, from the system's randomness."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def checksum(text: str) -> str:
    """Six base62 characters that tell a mistyped key from a wrong one without a look-up (CRC-32)."""
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits


def well_formed(clear: str) -> bool:
    """Whether a text can be a key at all: its shape and its checksum are right."""
    match = KEY_PATTERN.fullmatch(clear)
    return match is not None and checksum(clear[:-7]) == match[3]


def new_ring(choose: Choose = random_text) -> Ring:
    return Ring(salt=choose(BASE62, 22))


def mint(
    ring: Ring, label: str, now: float, *, expires: float | None = None, choose: Choose = random_text
) -> tuple[Ring, Secret]:
    """Adds a key. The clear key is returned once and is not kept. Raises UsageError for an unfit or taken label."""
    if not LABEL_PATTERN.fullmatch(label):
        raise UsageError(
            f"{label!r} cannot be a key's label", "use up to 32 letters, digits, dots, dashes and underscores"
        )
    if any(key.label == label and key.state is not KeyState.REVOKED for key in ring.keys):
        raise UsageError(f"there is a key labelled {label!r} already", f"replace it with: exposer rotate-key {label}")
    return _add(ring, label, now, expires, choose)


def rotate(
    ring: Ring, label: str, now: float, *, grace: float, choose: Choose = random_text
) -> tuple[Ring, Secret, tuple[Key, ...]]:
    """Mints a successor under the same label; the keys it replaces retire for `grace` seconds, or end at once with 0.

    Returns the ring, the clear key and the keys that were replaced. Raises UsageError for an unknown label.
    """
    old = [key for key in ring.keys if key.label == label and key.passes(now)]
    known = sorted({key.label for key in ring.keys})
    if not any(key.label == label for key in ring.keys):
        hint = f"known labels: {', '.join(known)}" if known else "the first `exposer up` makes a key labelled default"
        raise UsageError(f"there is no key labelled {label!r}", hint)

    def after(key: Key) -> Key:
        if grace <= 0 and key.label == label and key.state in (KeyState.ACTIVE, KeyState.RETIRING):
            return replace(key, state=KeyState.REVOKED, until=now)  # also one whose time is over: clocks are set back
        if key not in old:
            return key
        ends = now + grace if key.until is None else min(key.until, now + grace)
        return replace(key, state=KeyState.RETIRING, until=ends)

    expires = max((key.expires for key in old if key.expires is not None), default=None)
    retired = replace(ring, keys=tuple(after(key) for key in ring.keys))
    grown, clear = _add(retired, label, now, expires, choose)
    ids = {key.id for key in old}
    return grown, clear, tuple(key for key in grown.keys if key.id in ids)


def revoke(ring: Ring, label: str, now: float) -> tuple[Ring, tuple[Key, ...]]:
    """Ends every key of a label at once. Raises UsageError when there is none."""
    hit = tuple(key for key in ring.keys if key.label == label and key.state is not KeyState.REVOKED)
    if not hit:
        raise UsageError(f"there is no valid key labelled {label!r}", "see them with: exposer keys list")
    return _revoked(ring, hit, now), hit


def revoke_all(ring: Ring, now: float) -> Ring:
    """Ends every key."""
    return _revoked(ring, tuple(key for key in ring.keys if key.state is not KeyState.REVOKED), now)


def settle(ring: Ring, now: float) -> Ring:
    """The ring with keys whose time is over marked revoked; the same object when nothing changed."""
    over = tuple(key for key in ring.keys if key.state in (KeyState.ACTIVE, KeyState.RETIRING) and not key.passes(now))
    return _revoked(ring, over, now) if over else ring


def next_change(ring: Ring, now: float) -> float | None:
    """When the next key stops passing by itself, in seconds since 1970; None when none will."""
    times = [t for key in ring.passing(now) for t in (key.until, key.expires) if t is not None]
    return min(times, default=None)


def _revoked(ring: Ring, hit: tuple[Key, ...], now: float) -> Ring:
    def after(key: Key) -> Key:
        return replace(key, state=KeyState.REVOKED, until=now) if key in hit else key

    return replace(ring, keys=tuple(after(key) for key in ring.keys), generation=ring.generation + 1)


def _add(ring: Ring, label: str, now: float, expires: float | None, choose: Choose) -> tuple[Ring, Secret]:
    taken = {key.id for key in ring.keys}
    for _ in range(100):
        key_id = choose(ID_ALPHABET, 8)
        if key_id not in taken:
            break
    else:
        raise ExposerError("no free key id could be found")
    body = f"exp_{key_id}_{choose(BASE62, 43)}"
    clear = f"{body}_{checksum(body)}"
    key = Key(
        id=key_id,
        label=label,
        state=KeyState.ACTIVE,
        created=now,
        check=_md5(clear + ring.salt),
        htpasswd=_ssha(clear, choose(BASE62, 12)),
        basic_check=_md5(base64.b64encode(clear.encode()).decode() + ring.salt),
        expires=expires,
    )
    return replace(ring, keys=(*ring.keys, key), generation=ring.generation + 1), Secret(clear)


def _md5(text: str) -> str:
    """As nginx's secure_link compares it. The input holds 256 random bits, so md5's weakness is of no use."""
    return base64.urlsafe_b64encode(hashlib.md5(text.encode()).digest()).decode().rstrip("=")  # noqa: S324


def _ssha(clear: str, salt: str) -> str:
    digest = hashlib.sha1(clear.encode() + salt.encode()).digest()  # noqa: S324
    return "{SSHA}" + base64.b64encode(digest + salt.encode()).decode()
