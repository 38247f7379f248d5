"""A notice on the screen of this machine, where there is one."""

import html
import os
import shutil
import sys

from exposer import procs
from exposer.errors import ExposerError
from exposer.notify.notice import Notice

PATIENCE = 10.0
# What the programs need to find the screen of the person who is logged in.
SCREEN = ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY")
SCRIPT = ("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run")


class Desktop:
    """Uses `notify-send` or, on macOS, `osascript`. On a machine without a screen it does nothing."""

    label = "desktop"

    def send(self, notice: Notice) -> None:
        argv = command(notice)
        if not argv:
            return
        try:
            done = procs.run(argv, PATIENCE, env=procs.child_environment(keep=(*procs.INHERITED, *SCREEN)))
        except (OSError, TimeoutError) as error:
            raise ExposerError(f"desktop: {error}") from error
        if done.code:
            raise ExposerError(f"desktop: {argv[0]} ended with {done.code}")


def command(notice: Notice, platform: str = sys.platform) -> list[str]:
    """What shows it here; nothing where there is no screen."""
    title = f"exposer: {notice.name}"
    if platform == "darwin":
        return ["osascript", *(word for line in SCRIPT for word in ("-e", line)), title, notice.text]
    screen = any(name in os.environ for name in SCREEN[:3])
    if not screen or shutil.which("notify-send") is None:
        return []
    return ["notify-send", "--app-name=exposer", "--", title, html.escape(notice.text, quote=False)]
