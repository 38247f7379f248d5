"""The key ring: mint, rotate with an overlap, revoke. Pure: time and randomness come from outside."""

import base64
import hashlib
import re
import secrets
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from exposer.errors import ExposerError, UsageError
from exposer.keys.model import ALL, Allowed, Key, KeyState, Ring
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
    ring: Ring,
    label: str,
    now: float,
    *,
    expires: float | None = None,
    allowed: Allowed = ALL,
    decoy: bool = False,
    choose: Choose = random_text,
) -> tuple[Ring, Secret]:
    """Adds a key. The clear key is returned once and is not kept. Raises UsageError for an unfit or taken label."""
    if not LABEL_PATTERN.fullmatch(label):
        raise UsageError(
            f"{label!r} cannot be a key's label", "use up to 32 letters, digits, dots, dashes and underscores"
        )
    if any(key.label == label and key.state is not KeyState.REVOKED for key in ring.keys):
        raise UsageError(f"there is a key labelled {label!r} already", f"replace it with: exposer rotate-key {label}")
    return _add(ring, label, now, expires, allowed, choose, KeyState.DECOY if decoy else KeyState.ACTIVE)


def rotate(
    ring: Ring, label: str, now: float, *, grace: float, max_wait: float | None = None, choose: Choose = random_text
) -> tuple[Ring, Secret, tuple[Key, ...]]:
    """Mints a successor under the same label, which may the same; the keys it replaces retire, or end at once with a
    `grace` of 0. With `max_wait` their grace begins with the successor's first use, and they end by then at the latest.

    Returns the ring, the clear key and the keys that were replaced. Raises UsageError for an unknown label.
    """
    own = [key for key in ring.keys if key.label == label]
    if not own:
        known = sorted({key.label for key in ring.keys})
        hint = f"known labels: {', '.join(known)}" if known else "the first `exposer up` makes a key labelled default"
        raise UsageError(f"there is no key labelled {label!r}", hint)
    if own[-1].state is KeyState.DECOY:
        raise UsageError(f"{label!r} is a decoy: nobody uses it", "make a key with: exposer keys add LABEL")
    # A paused one too: it would come back for good.
    old = [key for key in own if key.passes(now) or (key.state is KeyState.SUSPENDED and not _ended(key, now))]
    expires = max((key.expires for key in old if key.expires is not None), default=None)
    grown, clear = _add(ring, label, now, expires, _allowed(own[-1]), choose)
    successor = grown.keys[-1].id

    def after(key: Key) -> Key:
        # Also one whose time is over, or that is suspended: a clock may be set back, and nobody wants it any more.
        if grace <= 0 and key in own and key.state in (KeyState.ACTIVE, KeyState.RETIRING, KeyState.SUSPENDED):
            return replace(key, state=KeyState.REVOKED, until=now)
        return _retired(key, successor, now, grace, max_wait) if key in old else key

    changed = replace(grown, keys=tuple(after(key) for key in grown.keys))
    ids = {key.id for key in old}
    return changed, clear, tuple(key for key in changed.keys if key.id in ids)


def _retired(key: Key, successor: str, now: float, grace: float, max_wait: float | None) -> Key:
    """On its way out; never later than was settled before."""
    latest = now + (grace if max_wait is None else max(grace, max_wait))
    until = latest if key.until is None else min(key.until, latest)
    if key.until is not None:
        return replace(key, until=until)
    return replace(
        key,
        state=key.state if key.state is KeyState.SUSPENDED else KeyState.RETIRING,
        until=until,
        grace=None if max_wait is None else grace,
        successor=successor,
    )


def first_used(ring: Ring, used: Mapping[str, float], now: float) -> Ring:
    """Begins the grace of retiring keys whose successor, or a later one, is used; `used` says since when at least, in
    seconds since 1970, by id. The same object when nothing changed."""

    def after(key: Key) -> Key:
        if key.state not in (KeyState.RETIRING, KeyState.SUSPENDED) or key.grace is None:
            return key
        times = [min(used[id_], now) for id_ in _line(ring, key) if id_ in used]
        if not times:
            return key
        ends = min(times) + key.grace
        return replace(key, grace=None, until=ends if key.until is None else min(key.until, ends))

    return _with(ring, tuple(after(key) for key in ring.keys))


def _line(ring: Ring, key: Key) -> tuple[str, ...]:
    """The ids of those that came after a key."""
    successors = {each.id: each.successor for each in ring.keys}
    found: list[str] = []
    following = key.successor
    while following and following not in found:
        found.append(following)
        following = successors.get(following, "")
    return tuple(found)


def suspend(ring: Ring, ids: Collection[str], now: float, why: str, until: float | None = None) -> Ring:
    """Takes keys that pass out of use until then, or until somebody brings them back."""

    def after(key: Key) -> Key:
        back_by_itself = key.state is KeyState.SUSPENDED and key.suspended_until is not None
        if key.id not in ids or not (key.passes(now) or (until is None and back_by_itself)):
            return key
        return replace(key, state=KeyState.SUSPENDED, why=why, suspended_until=until)

    return _with(ring, tuple(after(key) for key in ring.keys))


def resume(ring: Ring, ids: Collection[str]) -> Ring:
    """Brings suspended keys back as they were: active, or retiring."""

    def after(key: Key) -> Key:
        if key.id not in ids or key.state is not KeyState.SUSPENDED:
            return key
        state = KeyState.ACTIVE if key.until is None else KeyState.RETIRING
        return replace(key, state=state, why="", suspended_until=None)

    return _with(ring, tuple(after(key) for key in ring.keys))


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
    """The ring with keys whose time is over marked revoked, and those back whose suspension is; the same object when
    nothing changed."""
    over = tuple(
        key
        for key in ring.keys
        if (key.state in (KeyState.ACTIVE, KeyState.RETIRING) and not key.passes(now))
        or (key.state is KeyState.SUSPENDED and _ended(key, now))
    )
    settled = _revoked(ring, over, now) if over else ring
    back = [k.id for k in settled.keys if k.state is KeyState.SUSPENDED and _past(k.suspended_until, now)]
    return resume(settled, back) if back else settled


def _ended(key: Key, now: float) -> bool:
    return _past(key.expires, now) or _past(key.until, now)


def _past(time: float | None, now: float) -> bool:
    return time is not None and now >= time


def next_change(ring: Ring, now: float) -> float | None:
    """When the next key stops passing, or passes again, by itself, in seconds since 1970; None when none will."""
    times = [t for key in ring.passing(now) for t in (key.until, key.expires) if t is not None]
    times += [k.suspended_until for k in ring.keys if k.state is KeyState.SUSPENDED and k.suspended_until is not None]
    return min(times, default=None)


def _revoked(ring: Ring, hit: tuple[Key, ...], now: float) -> Ring:
    def after(key: Key) -> Key:
        return replace(key, state=KeyState.REVOKED, until=now) if key in hit else key

    return replace(ring, keys=tuple(after(key) for key in ring.keys), generation=ring.generation + 1)


def _with(ring: Ring, keys: tuple[Key, ...]) -> Ring:
    return ring if keys == ring.keys else replace(ring, keys=keys, generation=ring.generation + 1)


def _add(
    ring: Ring,
    label: str,
    now: float,
    expires: float | None,
    allowed: Allowed,
    choose: Choose,
    state: KeyState = KeyState.ACTIVE,
) -> tuple[Ring, Secret]:
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
        state=state,
        created=now,
        check=_md5(clear + ring.salt),
        htpasswd=_ssha(clear, choose(BASE62, 12)),
        basic_check=_md5(base64.b64encode(clear.encode()).decode() + ring.salt),
        expires=expires,
        operations=allowed.operations,
        rate=allowed.rate,
        concurrency=allowed.concurrency,
        egress=allowed.egress,
    )
    return replace(ring, keys=(*ring.keys, key), generation=ring.generation + 1), Secret(clear)


def _allowed(key: Key) -> Allowed:
    return Allowed(key.operations, key.rate, key.concurrency, key.egress)


def _md5(text: str) -> str:
    """As nginx's secure_link compares it. The input holds 256 random bits, so md5's weakness is of no use."""
    return base64.urlsafe_b64encode(hashlib.md5(text.encode()).digest()).decode().rstrip("=")  # noqa: S324


def _ssha(clear: str, salt: str) -> str:
    digest = hashlib.sha1(clear.encode() + salt.encode()).digest()  # noqa: S324
    return "{SSHA}" + base64.b64encode(digest + salt.encode()).decode()
