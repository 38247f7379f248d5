"""Other channels: this machine's screen, and whatever apprise knows."""

import json
import sys
from pathlib import Path

import pytest

from exposer.config.model import Notify, SecretRef
from exposer.errors import ExposerError, MissingError
from exposer.notify import destinations
from exposer.notify.channels import Channel
from exposer.notify.desktop import Desktop, command
from exposer.notify.notice import Notice
from exposer.secret import Secret
from tests.support.webhook import receiver

NOTICE = Notice("welink", "online", "it is <online> & well")
REF = SecretRef("env", "NTFY_URL")


OLD_IMPORTS = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise's own


@OLD_IMPORTS
def test_a_channel_of_apprise_is_told() -> None:
    with receiver(200) as far:
        Channel(REF, lambda _: Secret(far.url.replace("http://", "json://") + "/T0KEN")).send(NOTICE)
    ((path, _, body),) = far.calls
    assert path.startswith("/T0KEN")
    assert json.loads(body)["title"] == "exposer: welink"


@OLD_IMPORTS
def test_a_channel_that_cannot_be_told_is_named_by_its_reference_only() -> None:
    with receiver(500) as far, pytest.raises(ExposerError) as caught:
        Channel(REF, lambda _: Secret(far.url.replace("http://", "json://") + "/T0KEN")).send(NOTICE)
    assert caught.value.message == "channel env:NTFY_URL could not be told"
    with pytest.raises(ExposerError, match="no address that apprise knows"):
        Channel(REF, lambda _: Secret("no-such-service://T0KEN")).send(NOTICE)


def test_without_apprise_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(MissingError, match="needs the Python package apprise") as caught:
        Channel(REF, lambda _: Secret("json://h")).send(NOTICE)
    assert "exposer[notify]" in caught.value.hint


def test_the_screen_gets_one_notice_and_a_machine_without_one_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert command(NOTICE, "linux") == []
    Desktop().send(NOTICE)
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nfor word in "$@"; do echo "$word"; done > {tmp_path}/said\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DISPLAY", ":0")
    if sys.platform != "darwin":
        Desktop().send(NOTICE)
        said = (tmp_path / "said").read_text().splitlines()
        assert said[-2:] == ["exposer: welink", "it is &lt;online&gt; &amp; well"]
        program.write_text("#!/bin/sh\nexit 1\n")
        with pytest.raises(ExposerError, match="ended with 1"):
            Desktop().send(NOTICE)


def test_on_macos_the_text_is_an_argument_and_no_script() -> None:
    argv = command(Notice("x", "online", 'a" & (do shell script "id")'), "darwin")
    assert argv[-1] == 'a" & (do shell script "id")'
    assert argv.count("-e") == 3


def test_everybody_that_the_config_names_is_told() -> None:
    notify = Notify(webhook=("https://h.example/T0KEN", REF), urls=(REF,), desktop=True)
    labels = [destination.label for destination in destinations(notify, lambda _: Secret(""))]
    assert labels == ["webhook h.example", "webhook env:NTFY_URL", "channel env:NTFY_URL", "desktop"]
    assert destinations(Notify(desktop=False), lambda _: Secret("")) == ()
