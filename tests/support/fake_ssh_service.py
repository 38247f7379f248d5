#!/usr/bin/env python3
"""STAND-IN for the session of an SSH tunnel service: prints what the service prints, then stays.

`install(folder, name)` writes the lines to a file that is read again all the time: what is added is printed.
"""

import os
import sys
import threading
from pathlib import Path

LINES = {
    "localhost.run": (
        "authenticated as anonymous user",
        "To explore using localhost.run visit the documentation site: https://localhost.run/docs/",
        "create an account at https://admin.localhost.run/ for a longer lasting domain name",
        "{name}.lhr.life tunneled with tls termination, https://{name}.lhr.life",
    ),
    "pinggy": (
        "You are not authenticated. Your tunnel will expire in 60 minutes.",
        "See https://dashboard.pinggy.io for more.",
        "http://{name}-192-0-2-1.a.free.pinggy.link",
        "https://{name}-192-0-2-1.a.free.pinggy.link",
    ),
    "serveo": ("Forwarding HTTP traffic from https://{name}.serveo.net",),
}


def install(folder, service, name="abc123"):
    """Returns the command for authorized_keys."""
    script = Path(folder, "service.py")
    text = Path(__file__).read_text(encoding="utf-8").split("\n", 1)[1]
    script.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    script.chmod(0o755)
    Path(f"{script}.lines").write_text("")
    say(folder, service, name)
    return str(script)


def say(folder, service, name):
    with Path(folder, "service.py.lines").open("a", encoding="utf-8") as file:
        for line in LINES[service]:
            file.write(line.format(name=name) + "\n")


def main():
    shown, session = 0, os.getppid()
    while os.getppid() == session:
        lines = Path(f"{sys.argv[0]}.lines").read_text(encoding="utf-8").splitlines()
        for line in lines[shown:]:
            print(line, flush=True)
        shown = len(lines)
        threading.Event().wait(0.05)


if __name__ == "__main__":
    main()
