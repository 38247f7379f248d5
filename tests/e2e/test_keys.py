"""Keys with the installed command on a running exposure: rotation that waits for people, ends that are at once."""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exposer.keys.model import Allowed
from exposer.keys.ring import mint
from exposer.keys.store import RingStore
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get, sample_config
from tests.support.keepalive import KeepAlive
from tests.support.ports import free_port

pytestmark = pytest.mark.nginx


def exposed(tmp_path: Path, extra: str = "") -> Exposure:
    return Exposure(tmp_path, f"t{os.urandom(4).hex()}", sample_config(free_port(), extra))


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Exposure]:
    made = exposed(tmp_path)
    try:
        yield made
    finally:
        made.close()


def said(exposure: Exposure, *words: str) -> dict:
    done = exposure.run(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def listed(exposure: Exposure) -> dict[str, dict]:
    """The keys by id."""
    return {key["id"]: key for key in said(exposure, "keys", "list")["keys"]}


def with_key(exposure: Exposure, key: str, path: str = "/api/notes") -> int:
    return get(exposure.url + path, key).status


def events(exposure: Exposure, kind: str) -> list[dict]:
    return [
        event for event in said(exposure, "audit", "--events", "--limit", "1000")["events"] if event["kind"] == kind
    ]


def test_the_old_key_is_good_until_the_new_one_was_used_and_its_grace_is_over(sample: Exposure) -> None:
    sample.up()
    old = sample.key
    new = said(sample, "rotate-key", "--grace", "2s")
    old_id = new["replaced"][0]["id"]
    assert [with_key(sample, key) for key in (old, new["key"])] == [200, 200]
    text = sample.run("keys", "list").stdout
    assert with_key(sample, old) in (200, 401)
    eventually(lambda: with_key(sample, old) == 401, within=20)
    assert with_key(sample, new["key"]) == 200
    assert listed(sample)[old_id]["state"] == "revoked"
    assert events(sample, "grace-began")
    assert old not in text


def test_while_nobody_uses_the_new_key_the_old_one_goes_on(sample: Exposure) -> None:
    sample.up()
    new = said(sample, "rotate-key", "--grace", "1s")
    old_id = new["replaced"][0]["id"]
    assert with_key(sample, sample.key) == 200
    eventually(lambda: listed(sample)[old_id]["last_used"] is not None, within=15)
    shown = listed(sample)[old_id]
    assert (shown["state"], shown["grace"], shown["successor"]) == ("retiring", 1.0, new["id"])
    assert "after the new one's first use, at the latest" in sample.run("keys", "list").stdout
    assert with_key(sample, sample.key) == 200


def test_a_leaked_key_is_refused_when_the_command_returns_on_connections_that_were_open_as_well(
    sample: Exposure,
) -> None:
    sample.up()
    with KeepAlive(int(sample.url.rpartition(":")[2]), f"X-API-Key: {sample.key}") as caller:
        assert caller.status("/api/notes") == 200
        new = said(sample, "rotate-key", "--now")
        assert caller.status("/api/notes") == 401
    assert with_key(sample, sample.key) == 401
    assert with_key(sample, new["key"]) == 200
    assert sample.run("keys", "revoke", "default").returncode == 0
    assert with_key(sample, new["key"]) == 401


def test_a_revoked_key_can_be_tried_itself_and_never_stands_in_an_argument(sample: Exposure) -> None:
    sample.up()
    refused = sample.run("keys", "revoke", "default", "--key", sample.key)
    assert (refused.returncode, "--key -" in refused.stderr) == (2, True)
    assert with_key(sample, sample.key) == 200


def test_a_key_is_ended_at_once_where_the_supervisor_has_died(sample: Exposure) -> None:
    sample.up()
    sample.kill("supervisor")
    done = sample.run("keys", "revoke", "default")
    assert done.returncode == 0, done.stderr
    assert with_key(sample, sample.key) == 401


def test_a_key_may_call_what_it_was_given_and_no_more(sample: Exposure) -> None:
    sample.up()
    ops = [op["id"] for op in said(sample, "schema", "ops")["operations"] if op["published"]]
    only = said(sample, "keys", "add", "only", "--ops", ops[0], "--rate", "2/min")
    paths = {op["id"]: op["path"] for op in said(sample, "schema", "ops")["operations"]}
    answers = [with_key(sample, only["key"], paths[ops[0]]) for _ in range(4)]
    assert answers[0] == 200
    assert 429 in answers
    other = [op for op in ops[1:] if "{" not in paths[op]]
    assert all(with_key(sample, only["key"], paths[op]) in (403, 429) for op in other)
    assert listed(sample)[only["id"]]["rate"] == "2/min"


def test_a_decoy_is_refused_like_any_wrong_key_and_sets_off_an_alarm(sample: Exposure) -> None:
    sample.file.write_text(sample.file.read_text() + "\n[panic]\non = []\n")  # told only, so that one can look
    sample.up()
    trap = said(sample, "keys", "add", "trap", "--decoy")
    eventually(lambda: "trap" in sample.run("keys", "list").stdout, within=5)
    wrong = get(sample.url + "/api/notes", "exp_aaaaaaaa_" + "a" * 43 + "_aaaaaa")
    eventually(lambda: bool(get(sample.url + "/api/notes", trap["key"]) and events(sample, "decoy-used")), within=20)
    caught = get(sample.url + "/api/notes", trap["key"])
    assert (wrong.status, caught.status) == (401, 401)
    assert {k: v for k, v in wrong.json().items() if k != "request_id"} == {
        k: v for k, v in caught.json().items() if k != "request_id"
    }
    assert events(sample, "decoy-used")[0]["data"]["label"] == "trap"


def test_a_key_that_takes_too_much_is_paused_with_a_word_and_stays_so_over_a_restart(tmp_path: Path) -> None:
    sample = exposed(tmp_path)
    try:
        sample.up()
        size = len(sample.get("/api/notes").body)
        greedy = said(sample, "keys", "add", "greedy", "--egress", f"{size * 2}b/h")
        eventually(lambda: with_key(sample, greedy["key"]) == 429, within=30)
        assert listed(sample)[greedy["id"]]["state"] == "suspended"
        assert events(sample, "key-suspended")[0]["data"]["label"] == "greedy"
        assert sample.get("/api/notes").status == 200
        sample.kill("supervisor")
        sample.up()
        assert with_key(sample, greedy["key"]) == 429
        assert said(sample, "keys", "resume", "greedy")["resumed"] == [greedy["id"]]
        eventually(lambda: with_key(sample, greedy["key"]) in (200, 429), within=15)
    finally:
        sample.close()


def test_a_key_can_be_suspended_and_resumed_by_hand(sample: Exposure) -> None:
    sample.up()
    assert sample.run("keys", "suspend", "default").returncode == 0
    assert with_key(sample, sample.key) in (401, 429)
    assert sample.run("keys", "resume", "default").returncode == 0
    eventually(lambda: with_key(sample, sample.key) == 200, within=15)


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (("--expires", "0"), "good for a while"),
        (("--expires", "9999999d"), "at most ten years"),
        (("--rate", "1/h"), "slower than one call a minute"),
        (("--egress", "0b/h"), "good for something"),
    ],
)
def test_a_key_with_a_limit_that_cannot_be_kept_is_not_made(
    sample: Exposure, words: tuple[str, ...], about: str
) -> None:
    done = sample.run("keys", "add", "odd", *words)
    assert (done.returncode, about in done.stderr) == (2, True)
    assert listed(sample) == {}
    assert sample.run("rotate-key", "odd", "--grace", "9999999d").returncode == 2


@pytest.mark.slow
def test_a_new_key_is_shown_even_when_the_end_of_the_old_one_cannot_be_shown(sample: Exposure) -> None:
    sample.up()
    # A rate that the gateway cannot count: it takes no change of the keys over, and keeps its workers.
    odd = Allowed(rate=(1, 3600))
    RingStore(sample.state / sample.name).change(lambda ring: (mint(ring, "odd", time.time(), allowed=odd)[0], None))
    done = sample.run("rotate-key", "--now", "--json")
    assert done.returncode == 8
    assert "streams that began before go on" in done.stderr
    assert with_key(sample, sample.key) == 401
    new = json.loads(done.stdout)["key"]
    assert sample.run("keys", "revoke", "odd").returncode == 0
    eventually(lambda: with_key(sample, new) == 200, within=15)


def test_twenty_commands_at_once_lose_nothing_of_each_other(sample: Exposure) -> None:
    sample.run("keys", "add", "first")
    codes: list[int] = []

    def add(number: int) -> None:
        codes.append(sample.run("keys", "add", f"key-{number}").returncode)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 20
    assert {key["label"] for key in listed(sample).values()} == {"first", *(f"key-{n}" for n in range(20))}


def test_a_key_that_gets_old_is_spoken_of_ahead(tmp_path: Path) -> None:
    sample = exposed(tmp_path, '[auth]\nrotate_every = "1s"\n')
    try:
        sample.up()
        eventually(lambda: any("rotate-key default" in text for text in sample.status()["advice"]), within=15)
        assert "advice: the key 'default'" in sample.run("status").stdout
        assert with_key(sample, sample.key) == 200
    finally:
        sample.close()


def test_a_master_of_ones_own_keeps_the_ring_and_without_it_nothing_passes(tmp_path: Path) -> None:
    sample = exposed(tmp_path, '[auth]\nmaster = "env:RING_MASTER"\n')
    sample.env["RING_MASTER"] = "a secret of thirty-two characters or more"
    try:
        sample.up()
        assert sample.get("/api/notes").status == 200
        assert not (sample.state / sample.name / "keyring.key").exists()
        sample.run("down")
        bad = sample.run("keys", "list", RING_MASTER="another secret of thirty-two characters")
        assert (bad.returncode, "nothing passes" in bad.stderr) == (1, True)
        without = dict(sample.env)
        del sample.env["RING_MASTER"]
        done = sample.run("up", "-d")
        assert done.returncode != 0
        assert "RING_MASTER" in done.stderr
        sample.env = without
    finally:
        sample.close()


@pytest.mark.parametrize("label", ["a b", "$(id)", "a;b", "{x}", "a\nb", "ü", "x" * 40, ""])
def test_a_label_with_odd_characters_is_refused(sample: Exposure, label: str) -> None:
    done = sample.run("keys", "add", label)
    assert done.returncode == 2
    assert "label" in done.stderr
