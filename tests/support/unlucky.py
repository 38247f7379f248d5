"""What can go wrong for a user, and the look afterwards: is anything left, and was it said well?"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from exposer.keys.store import RingStore
from tests.support.eventually import eventually
from tests.support.exposure import Exposure

SERVER = Path(__file__).with_name("moody.py")


def config(port: int, backend: str = "", more: str = "") -> str:
    """A backend that is told by `backend` what to do, behind the local tunnel."""
    return f"""
engine = "process"

[backend]
port = {port}
{backend}

[tunnel]
provider = "local"
{more}
"""


def moody(port: int, *words: str, backend: str = "", more: str = "") -> str:
    """A backend of ours with the moods named in `words` (see moody.py)."""
    command = json.dumps([sys.executable, str(SERVER), *words])
    lines = f'command = {command}\nhealth = "/health"\nopenapi = "/openapi.json"\n{backend}'
    return config(port, lines, more)


def refused(
    exposure: Exposure, *words: str, code: int, says: Iterable[str], never: Iterable[str] = (), **env: str
) -> subprocess.CompletedProcess[str]:
    """The command fails with this code, says all of this in plain words, and leaves nothing behind."""
    done = exposure.run(*words, **env)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert done.stdout == "", "an answer, although it failed"
    assert "Traceback" not in said
    assert "\x1b" not in said, "colour without a terminal"
    for text in says:
        assert text in said, f"{text!r} is not in:\n{said}"
    for text in never:
        assert text not in said
    remains = left(exposure)
    assert not remains, remains
    return done


def left(exposure: Exposure) -> list[str]:
    """What an exposure that is offline must not have: processes, runtime files, keys nobody was given. A guard's copy
    that was just being made ends by itself when it finds the runtime folder gone."""
    with suppress(AssertionError):
        eventually(lambda: not any("exposer.guard" in argv for argv in processes(exposure).values()))
    found = [f"process {pid}: {argv}" for pid, argv in processes(exposure).items()]
    runtime = exposure.runtime / exposure.name
    found += [str(path) for path in (runtime, *runtime.rglob("*")) if path.exists()]
    state = exposure.state / exposure.name
    if (state / "first-key-unseen").exists():
        found.append("a first key that nobody has seen")
    return found


def passing(exposure: Exposure) -> list[str]:
    """The labels of the keys that are let in."""
    ring = RingStore(exposure.state / exposure.name).read()
    return [key.label for key in ring.passing(time.time())]


def processes(exposure: Exposure) -> dict[int, str]:
    """Every process that runs in the exposure's folders, or names them."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            argv, cwd = _about(int(name))
            if argv and (f"{exposure.folder}/" in argv or f"{cwd}/".startswith(f"{exposure.folder}/")):
                found[int(name)] = argv
    return found


def _about(pid: int) -> tuple[str, str]:
    """Its arguments and its folder; "" for one that is gone, or a zombie."""
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return argv, os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return "", ""
