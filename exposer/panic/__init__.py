"""The kill switch: lock, cut, prove, report. Needs no config, no daemon, no Docker client; standard library only.

Run as `exposer panic`, `exposer-panic` or `python -m exposer.panic`.
"""

import json
import os
import sys
import time

from exposer import files
from exposer.panic.cut import Cut
from exposer.panic.options import HELP, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def names(options: Options) -> list[str]:
    """Every exposure of this user; also the one whose config is at hand, when it has never run."""
    if "--name" in options.values:
        return [options.values["--name"]]
    found = list(files.exposures())
    path = options.values.get("-f") or options.values.get("--file") or os.environ.get("EXPOSER_FILE") or "exposer.toml"
    hint = _name_in(path)
    return found if hint == "" or hint in found else [*found, hint]


def _name_in(path: str) -> str:
    """The name a config file gives itself, if it can be read at a glance; nothing depends on it."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file.read(65536).splitlines():
                key, _, value = line.partition("=")
                if key.strip() == "name":
                    name = value.split("#")[0].strip().strip("\"'")
                    return name if name.replace("-", "").isalnum() and name == name.lower() else ""
                if line.lstrip().startswith("["):
                    break
    except OSError:
        pass
    return ""


def main(argv: list[str] | None = None) -> int:
    """Runs the kill switch. 0: all cut; 1: something could not be done; 2: wrong usage; 8: something still answers."""
    begun = time.monotonic()
    options = Options(sys.argv[1:] if argv is None else argv)
    if "--help" in options.flags:
        print(HELP, end="")
        return 0
    if options.error:
        print(f"error: {options.error}\n  see: exposer panic --help", file=sys.stderr)
        return 2
    cuts = [Cut(name, options, begun) for name in names(options)]
    for step in (Cut.lock, Cut.cut):
        for cut in cuts:
            _whatever_happens(cut, step)
    took = (time.monotonic() - begun) * 1000
    for cut in cuts:
        _whatever_happens(cut, Cut.containers)
    for cut in cuts:
        if "--no-verify" not in options.flags:
            from exposer.panic.proof import verify

            _whatever_happens(cut, verify)
    from exposer.panic.report import write

    reports = [write(cut) for cut in cuts]
    return _say(cuts, reports, took, options)


def _whatever_happens(cut: Cut, step: "Any") -> None:
    """No surprise in one step may keep the next from being done."""
    try:
        step(cut)
    except Exception as error:
        cut.trouble.append(f"{step.__name__}: {type(error).__name__}: {error}")


def _say(cuts: list[Cut], reports: list[str], took: float, options: Options) -> int:
    still_open = [line for cut in cuts for line in cut.open]
    trouble = [line for cut in cuts for line in cut.trouble]
    if "--json" in options.flags:
        said = {"schema": 1, "cut_ms": round(took, 1), "exposures": [cut.as_dict() for cut in cuts]}
        print(json.dumps(said))
    elif not {"-q", "--quiet"} & options.flags:
        if not cuts:
            print("there is no exposure to take offline")
        for cut, report in zip(cuts, reports, strict=True):
            print(f"{cut.name}: offline after {took:.0f} ms, locked until `exposer unlock`")
            print(f"  report: {report or 'could not be written'}")
    for line in trouble:
        print(f"warning: {line}", file=sys.stderr)
    for line in still_open:
        print(f"error: {line}", file=sys.stderr)
    return 8 if still_open else 1 if trouble else 0
