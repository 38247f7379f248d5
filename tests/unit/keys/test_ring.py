"""Keys: minted once, recognised without being kept, and never valid again once they are not."""

import base64
import hashlib
import random
import string
import subprocess
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exposer.errors import UsageError
from exposer.keys import ring as keys
from exposer.keys.model import Key, KeyState, Ring

NOW = 1_700_000_000.0
ALPHABET = string.ascii_letters + string.digits
LABELS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,31}\z".replace(r"\z", r"\Z"))
MOMENTS = st.floats(min_value=-1e6, max_value=1e6).map(lambda offset: NOW + offset)


def chooser(seed: int) -> keys.Choose:
    """Randomness that a test can repeat."""
    source = random.Random(seed)
    return lambda alphabet, length: "".join(source.choice(alphabet) for _ in range(length))


def ring_with(label: str = "one", **more: float) -> tuple[Ring, Key, str]:
    ring, clear = keys.mint(keys.new_ring(), label, NOW, **more)
    return ring, ring.keys[-1], clear.reveal()


def nginx_md5(text: str) -> str:
    """As `secure_link_md5` says it: openssl md5 -binary | openssl base64 | tr +/ -_ | tr -d =."""
    command = "openssl md5 -binary | openssl base64 | tr +/ -_ | tr -d ="
    return (
        subprocess.run(["sh", "-c", command], input=text.encode(), capture_output=True, check=True)
        .stdout.decode()
        .strip()
    )


# A clear key


@given(LABELS, st.integers())
def test_a_minted_key_is_well_formed_and_matches_the_contract(label: str, seed: int) -> None:
    ring, clear = keys.mint(keys.new_ring(chooser(seed)), label, NOW, choose=chooser(seed + 1))
    text = clear.reveal()
    prefix, key_id, secret, check = text.split("_")
    assert (prefix, len(key_id), len(secret), len(check)) == ("exp", 8, 43, 6)
    assert keys.well_formed(text)
    assert ring.keys[0].id == key_id
    assert ring.generation == 1


@given(st.integers(), st.integers(min_value=4), st.sampled_from(ALPHABET + "_- $\n\u0661"))
def test_a_mistyped_character_is_noticed(seed: int, at: int, wrong: str) -> None:
    _, clear = keys.mint(keys.new_ring(), "one", NOW, choose=chooser(seed))
    text = clear.reveal()
    at %= len(text)
    mistyped = text[:at] + wrong + text[at + 1 :]
    assert keys.well_formed(mistyped) == (mistyped == text)


@given(st.integers(), st.integers(min_value=0))
def test_two_characters_in_each_others_place_and_a_lost_one_are_noticed(seed: int, at: int) -> None:
    _, clear = keys.mint(keys.new_ring(), "one", NOW, choose=chooser(seed))
    text = clear.reveal()
    at %= len(text) - 1
    swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    assert keys.well_formed(swapped) == (swapped == text)
    assert not keys.well_formed(text[:at] + text[at + 1 :])
    assert not keys.well_formed(text[:at] + text[at] + text[at:])


@given(st.text())
def test_any_other_text_is_no_key(text: str) -> None:
    assert not keys.well_formed(text)


@pytest.mark.parametrize("around", ["{}\n", " {}", "{} ", "{}\0", "x{}", "{0}{0}"])
def test_a_key_with_something_around_it_is_no_key(around: str) -> None:
    _, _, clear = ring_with()
    assert not keys.well_formed(around.format(clear))


def test_two_keys_are_never_alike() -> None:
    ring = keys.new_ring()
    seen = set()
    for n in range(200):
        ring, clear = keys.mint(ring, f"k{n}", NOW)
        seen.add(clear.reveal().split("_")[2])
    assert len(seen) == len({key.id for key in ring.keys}) == 200


def test_an_id_that_is_taken_is_not_given_again() -> None:
    ids = iter(["aaaaaaaa", "aaaaaaaa", "bbbbbbbb"])

    def choose(alphabet: str, length: int) -> str:
        return next(ids) if length == 8 else keys.random_text(alphabet, length)

    ring, _ = keys.mint(keys.new_ring(), "one", NOW, choose=choose)
    ring, _ = keys.mint(ring, "two", NOW, choose=choose)
    assert [key.id for key in ring.keys] == ["aaaaaaaa", "bbbbbbbb"]


# What is kept of it


def test_the_ring_does_not_hold_the_key() -> None:
    ring, _, clear = ring_with()
    secret = clear.split("_")[2]
    assert secret not in repr(ring)
    assert secret not in str(asdict(ring))


def test_nginx_recognises_the_key_by_its_own_reckoning() -> None:
    ring, key, clear = ring_with()
    assert key.check == nginx_md5(clear + ring.salt)
    assert key.basic_check == nginx_md5(base64.b64encode(clear.encode()).decode() + ring.salt)


@given(st.integers())
@settings(max_examples=20)
def test_the_password_file_is_verified_as_openldap_and_nginx_do_it(seed: int) -> None:
    ring, clear = keys.mint(keys.new_ring(), "one", NOW, choose=chooser(seed))
    kept = ring.keys[0].htpasswd
    assert kept.startswith("{SSHA}")
    raw = base64.b64decode(kept.removeprefix("{SSHA}"), validate=True)
    digest, salt = raw[:20], raw[20:]
    assert len(salt) >= 8
    assert hashlib.new("sha1", clear.reveal().encode() + salt).digest() == digest
    assert hashlib.new("sha1", b"wrong" + salt).digest() != digest


def test_the_same_key_in_another_ring_looks_different() -> None:
    (one, first), (two, second) = (
        keys.mint(Ring(salt), "one", NOW, choose=chooser(7)) for salt in ("a" * 22, "b" * 22)
    )
    assert first == second
    assert one.keys[0].check != two.keys[0].check


# Labels


@pytest.mark.parametrize(
    "label",
    [
        "",
        " ",
        "a b",
        "a\n",
        "\na",
        "a$b",
        'a"b',
        "a'b",
        "a;b",
        "a{b}",
        "a\\b",
        "a/b",
        "../x",
        ".a",
        "-a",
        "_a",
        "a#b",
        "a:b",
        "a,b",
        "a=b",
        "a`b",
        "a|b",
        "a&b",
        "a\x00",
        "é",
        "\u0661",
        "a" * 33,
        "${dollar}",
        "%s",
        "a\u200b",
    ],
)
def test_a_label_that_could_mean_something_to_a_shell_or_to_nginx_is_refused(label: str) -> None:
    with pytest.raises(UsageError, match="cannot be a key's label"):
        keys.mint(keys.new_ring(), label, NOW)


@given(st.text(max_size=40))
def test_every_label_that_is_taken_is_made_of_harmless_characters(label: str) -> None:
    try:
        keys.mint(keys.new_ring(), label, NOW)
    except UsageError:
        return
    assert 1 <= len(label) <= 32
    assert set(label) <= set(ALPHABET + "._-")
    assert label[0] not in "._-"


def test_a_label_is_taken_once_until_its_key_is_revoked() -> None:
    ring, _, _ = ring_with("one")
    with pytest.raises(UsageError, match="already"):
        keys.mint(ring, "one", NOW)
    ring, _ = keys.revoke(ring, "one", NOW)
    ring, _ = keys.mint(ring, "one", NOW)
    assert [key.state for key in ring.keys] == [KeyState.REVOKED, KeyState.ACTIVE]


# Time


@given(st.floats(min_value=0.001, max_value=1e6), st.floats(min_value=0, max_value=1e7))
def test_after_a_rotation_the_old_key_passes_until_its_grace_is_over(grace: float, later: float) -> None:
    ring, old, _ = ring_with()
    ring, clear, replaced = keys.rotate(ring, "one", NOW, grace=grace)
    assert keys.well_formed(clear.reveal())
    assert [key.id for key in replaced] == [old.id]
    was, new = ring.keys
    assert was.passes(NOW + later) == (NOW + later < NOW + grace)
    assert new.passes(NOW + later)


@pytest.mark.parametrize("grace", [0, -1, -1e9])
def test_without_grace_the_old_key_ends_at_once_and_for_good(grace: float) -> None:
    ring, _, _ = ring_with()
    ring, _, _ = keys.rotate(ring, "one", NOW, grace=grace)
    assert [key.state for key in ring.keys] == [KeyState.REVOKED, KeyState.ACTIVE]
    assert not ring.keys[0].passes(NOW - 1e6)


def test_rotating_at_once_ends_a_key_for_good_whose_time_was_over_by_a_clock_that_is_set_back() -> None:
    ring, _, _ = ring_with()
    ring, _, _ = keys.rotate(ring, "one", NOW, grace=100)
    ring, _, _ = keys.rotate(ring, "one", NOW + 200, grace=0)
    assert [key.passes(NOW) for key in ring.keys] == [False, False, True]


def test_a_second_rotation_does_not_give_the_first_key_more_time() -> None:
    ring, _, _ = ring_with()
    ring, _, _ = keys.rotate(ring, "one", NOW, grace=100)
    ring, _, replaced = keys.rotate(ring, "one", NOW + 50, grace=100)
    assert [key.until for key in ring.keys] == [NOW + 100, NOW + 150, None]
    assert len(replaced) == 2
    ring, _, _ = keys.rotate(ring, "one", NOW + 60, grace=0)
    assert [key.passes(NOW + 60) for key in ring.keys] == [False, False, False, True]


def test_a_successor_ends_when_its_predecessor_would_have() -> None:
    ring, _, _ = ring_with(expires=NOW + 500)
    ring, _, _ = keys.rotate(ring, "one", NOW, grace=100)
    assert ring.keys[1].expires == NOW + 500
    assert not any(key.passes(NOW + 500) for key in ring.keys)


def test_rotating_one_label_leaves_the_others_alone() -> None:
    ring, _, _ = ring_with("one")
    ring, _ = keys.mint(ring, "two", NOW)
    before = ring.keys[1]
    ring, _, _ = keys.rotate(ring, "one", NOW, grace=0)
    assert before in ring.keys


def test_an_unknown_label_cannot_be_rotated_or_revoked_and_the_known_ones_are_named() -> None:
    ring, _, _ = ring_with("known")
    with pytest.raises(UsageError) as caught:
        keys.rotate(ring, "unknown", NOW, grace=1)
    assert "known" in caught.value.hint
    with pytest.raises(UsageError):
        keys.revoke(ring, "unknown", NOW)


@given(st.floats(min_value=0, max_value=1e7), st.floats(min_value=0, max_value=2e7))
def test_a_key_passes_until_it_expires(expires: float, later: float) -> None:
    _, key, _ = ring_with(expires=NOW + expires)
    assert key.passes(NOW + later) == (NOW + later < NOW + expires)


@pytest.mark.parametrize("state", [KeyState.REVOKED, KeyState.SUSPENDED, KeyState.DECOY])
@given(now=st.floats(allow_nan=False))
def test_a_revoked_suspended_or_decoy_key_never_passes(state: KeyState, now: float) -> None:
    _, key, _ = ring_with()
    for until in (None, float("inf")):
        assert not replace(key, state=state, until=until).passes(now)


def test_a_retiring_key_without_an_end_does_not_pass() -> None:
    _, key, _ = ring_with()
    assert not replace(key, state=KeyState.RETIRING).passes(NOW)


def test_the_next_change_is_the_first_end_of_a_key_that_passes() -> None:
    ring, _, _ = ring_with()
    assert keys.next_change(ring, NOW) is None
    ring, _ = keys.mint(ring, "short", NOW, expires=NOW + 50)
    ring, _ = keys.mint(ring, "long", NOW, expires=NOW + 500)
    assert keys.next_change(ring, NOW) == NOW + 50
    assert keys.next_change(ring, NOW + 50) == NOW + 500
    ring, _, _ = keys.rotate(ring, "one", NOW, grace=20)
    assert keys.next_change(ring, NOW) == NOW + 20
    assert keys.next_change(keys.revoke_all(ring, NOW), NOW) is None


class Rings(RuleBasedStateMachine):
    """Whatever is done, at whatever time the clock shows: a key that was ended stays ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ring = keys.new_ring()
        self.now = NOW
        self.ended: set[str] = set()

    @rule(to=MOMENTS)
    def the_clock_jumps(self, to: float) -> None:
        self.now = to

    @rule(label=st.sampled_from("abc"), life=st.none() | st.floats(-10, 1e6))
    def mint(self, label: str, life: float | None) -> None:
        before = self.ring
        try:
            self.ring, _ = keys.mint(self.ring, label, self.now, expires=None if life is None else self.now + life)
        except UsageError:
            return
        assert self.ring.generation > before.generation

    @rule(label=st.sampled_from("abc"), grace=st.floats(-10, 1e6))
    def rotate(self, label: str, grace: float) -> None:
        if not any(key.label == label for key in self.ring.keys):
            return
        passing = {key.id for key in self.ring.passing(self.now)}
        self.ring, clear, _ = keys.rotate(self.ring, label, self.now, grace=grace)
        new = clear.reveal().split("_")[1]
        assert {key.id for key in self.ring.passing(self.now)} - {new} <= passing

    @rule(label=st.sampled_from("abc"))
    def revoke(self, label: str) -> None:
        try:
            self.ring, hit = keys.revoke(self.ring, label, self.now)
        except UsageError:
            return
        self.ended |= {key.id for key in hit}

    @rule()
    def revoke_all(self) -> None:
        self.ring = keys.revoke_all(self.ring, self.now)
        self.ended |= {key.id for key in self.ring.keys}
        assert self.ring.passing(self.now) == ()

    @rule()
    def settle(self) -> None:
        settled = keys.settle(self.ring, self.now)
        assert settled.passing(self.now) == self.ring.passing(self.now)
        assert keys.settle(settled, self.now) is settled
        self.ended |= {key.id for key in settled.keys if key.state is KeyState.REVOKED}
        self.ring = settled

    @invariant()
    def what_has_ended_never_passes_again(self) -> None:
        for now in (self.now, NOW - 1e9, 0.0, self.now + 1e9):
            assert not self.ended & {key.id for key in self.ring.passing(now)}

    @invariant()
    def ids_are_unique(self) -> None:
        assert len({key.id for key in self.ring.keys}) == len(self.ring.keys)


TestRings = Rings.TestCase
TestRings.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
