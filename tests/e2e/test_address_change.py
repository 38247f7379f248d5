"""A changed address: hook, webhook and waiting scripts follow, each once, over restarts too."""

import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from exposer.journal import Journal
from tests.support import fake_cloudflared
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, sample_config
from tests.support.ports import free_port
from tests.support.webhook import Receiver, receiver

pytestmark = pytest.mark.nginx

# Appends what it is told as one line; a second argument names a file that makes it fail, once.
HOOK = """
import json, os, sys
line = json.dumps(json.load(sys.stdin)) + chr(10)
with open(sys.argv[1], "a") as file:
    file.write(line)
if os.path.exists(sys.argv[2]):
    os.unlink(sys.argv[2])
    sys.exit(1)
"""
FIRST, SECOND, THIRD = (f"{name}-b-c-d.trycloudflare.com" for name in ("one", "two", "three"))


def kinds(exposure: Exposure) -> list[str]:
    """What the journal has, oldest first."""
    journal = Journal(exposure.state / exposure.name / "journal.db")
    try:
        return [event.kind for event in journal.events()]
    finally:
        journal.close()


def heard(far: Receiver) -> list[str]:
    """What it was told; a notice that was sent again has the same id."""
    return list({headers["webhook-id"]: json.loads(body)["event"] for _, headers, body in list(far.calls)}.values())


class Scene:
    def __init__(self, folder: Path, make_exposure: Callable[..., Exposure], more: str = "") -> None:
        self.binary = fake_cloudflared.install(folder, hostname=FIRST)
        self.said, self.broken = folder / "said", folder / "broken"
        script = folder / "hook.py"
        script.write_text(HOOK)
        argv = json.dumps([sys.executable, str(script), str(self.said), str(self.broken)])
        tunnel = f'provider = "cloudflared"\nbinary = "{self.binary}"'
        config = sample_config(free_port()).replace('provider = "local"', tunnel)
        self.exposure = make_exposure(f"{config}\n[hooks]\naddress_changed = {argv}\n{more}")

    def told(self) -> list[dict[str, str]]:
        lines = self.said.read_text().splitlines() if self.said.exists() else []
        return [json.loads(line) for line in lines]

    def change(self, hostname: str) -> None:
        fake_cloudflared.turn(self.binary, hostname=hostname)
        self.exposure.kill("tunnel")


def test_hook_webhook_and_waiting_scripts_follow_a_new_address(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    with receiver() as far:
        notify = f'[notify]\nwebhook = ["{far.url}/T0"]\nsecret = "env:HOOK_SECRET"\ndesktop = false\n'
        scene = Scene(tmp_path, make_exposure, notify)
        exposure = scene.exposure
        exposure.env["HOOK_SECRET"] = "s3cret-of-the-hook"
        exposure.up()
        assert exposure.run("url").stdout == f"https://{FIRST}\n"
        eventually(lambda: scene.told(), within=10)
        assert (scene.told()[0]["public_url"], scene.told()[0]["previous_url"]) == (f"https://{FIRST}", None)
        waiting = exposure.begin("wait", "--address-change", "--from", f"https://{FIRST}/", "--timeout", "180s")
        scene.change(SECOND)
        out, _ = waiting.communicate(timeout=180)
        assert (waiting.returncode, out) == (0, f"https://{SECOND}\n")
        late = exposure.run("wait", "--address-change", "--from", f"https://{FIRST}", "--timeout", "60s")
        assert (late.returncode, late.stdout) == (0, f"https://{SECOND}\n"), "what has changed before is not missed"
        too_early = exposure.run("wait", "--address-change", "--from", f"https://{SECOND}", "--timeout", "1s")
        assert too_early.returncode == 7
        eventually(lambda: len(scene.told()) == 2, within=20)
        assert scene.told()[1]["public_url"] == f"https://{SECOND}"
        assert scene.told()[1]["previous_url"] == f"https://{FIRST}"
        assert exposure.run("url").stdout == f"https://{SECOND}\n"
        exposure.run("down")
        eventually(lambda: heard(far)[-1] == "offline")
        assert heard(far)[0] == "online"
        assert heard(far).count("address-changed") == 1
        for _, headers, body in far.calls:
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            proof = base64.b64encode(hmac.digest(b"s3cret-of-the-hook", signed, hashlib.sha256)).decode()
            assert headers["webhook-signature"] == f"v1,{proof}"
    assert "s3cret" not in (exposure.state / exposure.name / "logs" / "supervisor.log").read_text()


def test_an_address_that_was_announced_is_not_announced_again_by_the_next_supervisor(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    scene = Scene(tmp_path, make_exposure, "[notify]\ndesktop = false\n")
    exposure = scene.exposure
    exposure.up()
    eventually(lambda: len(scene.told()) == 1, within=10)
    eventually(lambda: "announced" in kinds(exposure), within=10)
    exposure.kill("supervisor")
    exposure.up()
    assert exposure.url == f"https://{FIRST}"
    scene.change(SECOND)
    eventually(lambda: len(scene.told()) == 2, within=20)
    assert [told["public_url"] for told in scene.told()] == [f"https://{FIRST}", f"https://{SECOND}"]


def test_a_hook_that_fails_is_told_and_keeps_nobody_from_going_online(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    scene = Scene(tmp_path, make_exposure, "[notify]\ndesktop = false\n")
    scene.broken.touch()
    exposure = scene.exposure
    exposure.up()
    eventually(lambda: "ended with code 1" in exposure.run("logs", "supervisor").stdout, within=20)
    assert exposure.phase() in ("online", "degraded")
    eventually(lambda: "announced" in kinds(exposure), within=40)
    assert len(scene.told()) == 2
    assert not [entry for entry in exposure.ledger() if entry["role"] == "hook"]


def test_a_hook_that_hangs_holds_up_neither_down_nor_panic(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    config = sample_config(free_port())
    exposure = make_exposure(f'{config}\n[hooks]\naddress_changed = ["sleep", "300"]\n[notify]\ndesktop = false\n')
    exposure.up()
    pid = eventually(lambda: exposure.pid("hook"), within=10)
    assert exposure.run("down", timeout=40).returncode == 0
    eventually(lambda: not Path(f"/proc/{pid}/exe").exists(), within=10)
    exposure.up()
    pid = eventually(lambda: exposure.pid("hook"), within=10)
    assert exposure.run("panic").returncode == 0
    eventually(lambda: not Path(f"/proc/{pid}/exe").exists(), within=10)
