"""A rotation waits for people: the old key's grace begins when the new one is used, and never lasts too long."""

from dataclasses import replace

import pytest

from exposer.errors import UsageError
from exposer.keys import ring as keys
from exposer.keys.model import Allowed, KeyState, Ring

NOW, HOUR, DAY = 1_700_000_000.0, 3600.0, 86_400.0
GRACE = 900.0


def rotated(ring: Ring, at: float = NOW, grace: float = GRACE, wait: float = DAY) -> Ring:
    return keys.rotate(ring, "one", at, grace=grace, max_wait=wait)[0]


@pytest.fixture
def ring() -> Ring:
    return rotated(keys.mint(keys.new_ring(), "one", NOW - DAY)[0])


def test_the_old_key_passes_until_the_longest_wait_while_nobody_uses_the_new_one(ring: Ring) -> None:
    old, new = ring.keys
    assert (old.state, old.grace, old.successor) == (KeyState.RETIRING, GRACE, new.id)
    assert old.passes(NOW + DAY - 1)
    assert not old.passes(NOW + DAY)
    assert keys.first_used(ring, {old.id: NOW + 5}, NOW + 5) is ring


def test_the_grace_begins_with_the_first_use_of_the_new_key(ring: Ring) -> None:
    new = ring.keys[1]
    begun = keys.first_used(ring, {new.id: NOW + HOUR}, NOW + HOUR + 1)
    old = begun.keys[0]
    assert (old.until, old.grace) == (NOW + HOUR + GRACE, None)
    assert begun.generation == ring.generation + 1
    assert keys.first_used(begun, {new.id: NOW + 2 * HOUR}, NOW + 2 * HOUR) is begun


def test_a_use_in_the_future_of_a_clock_that_was_wrong_does_not_make_the_grace_longer(ring: Ring) -> None:
    begun = keys.first_used(ring, {ring.keys[1].id: NOW + 300 * DAY}, NOW + 10)
    assert begun.keys[0].until == NOW + 10 + GRACE


def test_the_grace_never_goes_beyond_the_longest_wait(ring: Ring) -> None:
    begun = keys.first_used(ring, {ring.keys[1].id: NOW + DAY - 60}, NOW + DAY - 59)
    assert begun.keys[0].until == NOW + DAY


def test_rotating_again_before_anybody_came_keeps_every_end_that_was_settled(ring: Ring) -> None:
    twice = rotated(ring, NOW + HOUR)
    first, second, third = twice.keys
    assert first.until == NOW + DAY
    assert (second.until, second.successor) == (NOW + HOUR + DAY, third.id)
    begun = keys.first_used(twice, {third.id: NOW + 2 * HOUR}, NOW + 2 * HOUR)
    assert [key.until for key in begun.keys] == [NOW + 2 * HOUR + GRACE, NOW + 2 * HOUR + GRACE, None]


def test_now_ends_the_old_ones_and_those_that_are_suspended_too(ring: Ring) -> None:
    held = keys.suspend(ring, [ring.keys[0].id], NOW, "much")
    ended, _, _ = keys.rotate(held, "one", NOW + 1, grace=0)
    assert [key.state for key in ended.keys] == [KeyState.REVOKED, KeyState.REVOKED, KeyState.ACTIVE]


@pytest.mark.parametrize("wait", [DAY, None])
def test_a_key_that_was_paused_when_it_was_replaced_comes_back_for_its_grace_only(wait: float | None) -> None:
    ring, _ = keys.mint(keys.new_ring(), "one", NOW - DAY)
    held = keys.suspend(ring, [ring.keys[0].id], NOW, "much", NOW + 60)
    after, _, replaced = keys.rotate(held, "one", NOW, grace=GRACE, max_wait=wait)
    assert [(key.id, key.state) for key in replaced] == [(ring.keys[0].id, KeyState.SUSPENDED)]
    begun = keys.first_used(after, {after.keys[1].id: NOW + 10}, NOW + 20)
    back = keys.settle(begun, NOW + 60)
    ends = NOW + GRACE + (10 if wait else 0)
    assert (back.keys[0].state, back.keys[0].until) == (KeyState.RETIRING, ends)
    assert keys.settle(back, ends).keys[0].state is KeyState.REVOKED
    unused = keys.settle(after, NOW + DAY)
    assert unused.keys[0].state is KeyState.REVOKED


def test_a_pause_by_hand_outlasts_that_of_a_limit(ring: Ring) -> None:
    new = ring.keys[1].id
    held = keys.suspend(ring, [new], NOW, "much", NOW + 60)
    by_hand = keys.suspend(held, [new], NOW + 1, "by hand")
    assert keys.settle(by_hand, NOW + HOUR).keys[1].state is KeyState.SUSPENDED
    assert keys.suspend(by_hand, [new], NOW + 2, "much", NOW + 60) is by_hand
    assert keys.suspend(by_hand, [new], NOW + 2, "by hand") is by_hand


def test_the_new_key_may_what_the_old_one_might() -> None:
    allowed = Allowed(("list*",), (5, 60), 2, 1000)
    ring, _ = keys.mint(keys.new_ring(), "one", NOW, allowed=allowed, expires=NOW + DAY)
    after = rotated(ring)
    new = after.keys[1]
    assert (new.operations, new.rate, new.concurrency, new.egress, new.expires) == (
        ("list*",),
        (5, 60),
        2,
        1000,
        NOW + DAY,
    )


def test_a_decoy_is_never_valid_and_cannot_be_rotated() -> None:
    ring, _ = keys.mint(keys.new_ring(), "trap", NOW, decoy=True)
    assert ring.keys[0].state is KeyState.DECOY
    assert not ring.keys[0].passes(NOW)
    with pytest.raises(UsageError, match="is a decoy"):
        keys.rotate(ring, "trap", NOW, grace=0)


def test_a_suspended_key_comes_back_as_what_it_was(ring: Ring) -> None:
    both = [key.id for key in ring.keys]
    held = keys.suspend(ring, both, NOW, "too much", NOW + HOUR)
    assert [key.passes(NOW) for key in held.keys] == [False, False]
    assert keys.settle(held, NOW + HOUR - 1) is held
    assert keys.next_change(held, NOW) == NOW + HOUR
    back = keys.settle(held, NOW + HOUR)
    assert [key.state for key in back.keys] == [KeyState.RETIRING, KeyState.ACTIVE]
    assert [key.why for key in back.keys] == ["", ""]
    assert keys.resume(held, both).keys == back.keys


def test_a_suspended_key_whose_end_has_come_does_not_come_back(ring: Ring) -> None:
    held = keys.suspend(ring, [ring.keys[0].id], NOW, "too much", NOW + 2 * DAY)
    assert keys.settle(held, NOW + 2 * DAY).keys[0].state is KeyState.REVOKED


def test_what_is_suspended_by_hand_stays_so(ring: Ring) -> None:
    held = keys.suspend(ring, [ring.keys[1].id], NOW, "by hand")
    assert keys.settle(held, NOW + HOUR).keys[1].state is KeyState.SUSPENDED


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_clock_that_jumps_by_a_day_opens_nothing(ring: Ring, jump: float) -> None:
    """Ahead: what ended then stays ended when the clock is right again. Back: nothing that was ended comes to life."""
    at = NOW + GRACE + jump
    settled = keys.settle(keys.first_used(ring, {ring.keys[1].id: NOW}, NOW + 1), at)
    passing = {key.id for key in settled.passing(at)}
    later = keys.settle(settled, NOW + GRACE + 1)
    assert {key.id for key in later.passing(NOW + GRACE + 1)} <= passing
    assert later.keys[0].state is KeyState.REVOKED
    ended = keys.settle(later, NOW - 10 * DAY)
    assert not ended.keys[0].passes(NOW - 10 * DAY)


def test_no_key_passes_for_ever_without_a_successor_that_is_known(ring: Ring) -> None:
    lost = replace(ring, keys=(replace(ring.keys[0], successor="gone1234"), ring.keys[1]))
    assert keys.first_used(lost, {"gone1234": NOW + 1}, NOW + 1).keys[0].until == NOW + 1 + GRACE
    assert not lost.keys[0].passes(NOW + DAY)
