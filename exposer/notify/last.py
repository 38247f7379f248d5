"""Tells people of a cut after it, for a supervisor that is dead; adds to the report whom it reached.

python -m exposer.notify.last JOB REPORT: started by the kill switch. JOB is JSON and names the config and what was cut,
never a secret.
"""

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from exposer.config.load import load
from exposer.config.model import Config
from exposer.config.secrets import resolve
from exposer.errors import ExposerError
from exposer.notify import destinations
from exposer.notify.desktop import Desktop, command
from exposer.notify.notice import Notice
from exposer.panic import aside

SECONDS = 120.0


def people(config: Config) -> Mapping[str, Any]:
    """What the kill switch has to know so that people are told; nothing when there is nobody."""
    notify = config.notify
    if not (notify.webhook or notify.urls or (notify.desktop and command(Notice(config.name, "", "")))):
        return {}
    refs = [
        ref for ref in (*notify.webhook, *notify.urls, notify.secret) if ref is not None and not isinstance(ref, str)
    ]
    return {"file": config.path, "env": sorted(ref.name for ref in refs if ref.scheme == "env")}


def main(argv: list[str]) -> int:
    job, report = json.loads(argv[0]), argv[1]
    try:
        said = _tell_all(load(Path(job["file"])), _notice(job))
    except Exception as error:  # a broken config, most likely; its text may say more than a report should
        said = [f"nobody could be told: {error.message if isinstance(error, ExposerError) else type(error).__name__}"]
    aside.add(report, "Notices", "notices", said)
    return 0


def _notice(job: Mapping[str, Any]) -> Notice:
    kind = "panicked" if job["kind"] == "panic" else "was-cut"
    why = f": {job['reason']}" if job["reason"] else ""
    text = f"it was taken offline by {'the kill switch' if kind == 'panicked' else 'its watch'}{why}"
    text += "; NOT everything could be cut" if job["still_open"] else ""
    data = {key: job[key] for key in ("reason", "cut_ms", "locked", "still_open")}
    return Notice(str(job["name"]), kind, text, data, float(job["at"]))


def _tell_all(config: Config, notice: Notice) -> list[str]:
    """All at once: whoever does not answer keeps nobody else waiting."""
    everybody = [one for one in destinations(config.notify, resolve) if not isinstance(one, Desktop) or command(notice)]
    pool = ThreadPoolExecutor(max(1, len(everybody)))
    sending = {pool.submit(one.send, notice): one.label for one in everybody}
    wait(sending, SECONDS)
    return [_outcome(future, label) for future, label in sending.items()]


def _outcome(future: "Future[None]", label: str) -> str:
    if not future.done():
        return f"{label}: it has not answered"
    error = future.exception()
    if error is None:
        return f"{label}: told"
    return f"{label}: not told: {error.message if isinstance(error, ExposerError) else type(error).__name__}"


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # whoever still hangs is not waited for
