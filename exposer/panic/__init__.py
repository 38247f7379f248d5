"""The kill switch: lock, cut, prove, report. Needs no config, no daemon, no Docker client; standard library only.

Run as `exposer panic`, `exposer-panic` or `python -m exposer.panic`.
"""

import os
import sys
import time

from exposer import files, procs
from exposer.panic.bounded import Attempt, within
from exposer.panic.cut import Cut
from exposer.panic.options import HELP, Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable
    from typing import Any
else:
    import _signal as signal

ENGINE_SECONDS = 8.0  # for the Docker engine's every wait
LOOK_SECONDS = 0.25  # for a folder on a disk that may hang


def names(options: Options) -> list[str]:
    """Every exposure of this user; also the one whose config is at hand, when it has never run."""
    if "--name" in options.values:
        return [options.values["--name"]]
    path = options.values.get("-f") or options.values.get("--file") or os.environ.get("EXPOSER_FILE") or "exposer.toml"
    return exposures(lambda: filter(None, [_name_in(path)]))


def exposures(*more: "Callable[[], Iterable[str]]") -> list[str]:
    """The names of all exposures, and `more`, each once. They are looked for at the same time: a folder on a disk that
    hangs, or is a surprise, hides nothing of what is known elsewhere."""
    roots = (files.runtime_root(), files.state_root())
    looks = [*((lambda root=root: files.exposures([root])) for root in roots), *more]
    found = [Attempt(lambda look=look: list(look())) for look in looks]  # type: ignore[misc]
    return list(dict.fromkeys(name for one in found if one.over(LOOK_SECONDS) for name in one.value or ()))


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
    except (OSError, ValueError):
        pass
    return ""


def main(argv: list[str] | None = None) -> int:
    """Runs the kill switch. 0: all cut; 1: something could not be done; 2: wrong usage; 8: something still answers."""
    begun = time.monotonic()
    procs.hurry()
    options = Options(sys.argv[1:] if argv is None else argv)
    if "--help" in options.flags:
        print(HELP, end="")
        return 0
    if options.error:
        _complain(options, "usage", options.error, "see: exposer panic --help")
        return 2
    before = {number: _hear(number) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}
    try:
        return _panic(options, begun)
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _hear(number: int, how: "Any" = signal.SIG_IGN) -> "Any":
    """A closed terminal or an impatient Ctrl-C must not stop this halfway, nor a service manager that ends what is left
    of a service whose supervisor was cut. None when it cannot be helped."""
    try:
        return signal.signal(number, how)
    except ValueError:
        return None


def cut_now(name: str, *, lock: bool, reason: str) -> "dict[str, Any]":
    """The same cut for a watch of our own, such as the guard: takes one exposure offline and returns the report.

    For a small process (this imports next to nothing) that is on record as `guard`: it is spared, everything else of
    the exposure ends, the supervisor included. With `lock=True` it is a panic: locked until `unlock`, every key
    revoked. With `lock=False` (a lease or a time box is over) the keys stay in the ring, no lock is left, and the next
    `up` works; no key is valid until then all the same. Never raises and never asks; takes two seconds at the most
    when all answers, and bounded waits for what does not. In the report `still_open` and `trouble` are empty when
    all is well, `report` is the path of the incident report, `cut_ms` how long data went on leaving.
    """
    cut = Cut(name, Options([f"--reason={reason}", f"--name={name}"]), time.monotonic())
    cut.anew = False
    paths = _take_offline([cut], lock=lock)
    return {**cut.as_dict(), "report": paths[0]}


def _take_offline(cuts: list[Cut], *, lock: bool = True) -> list[str]:
    """Locks, cuts, proves, reports; returns the paths of the reports."""
    _cut(cuts, lock=lock)
    return _finish(cuts)


def _cut(cuts: list[Cut], *, lock: bool = True) -> None:
    for step in (Cut.lock, Cut.cut) if lock else (Cut.cut,):
        for cut in cuts:
            _whatever_happens(cut, step)
    procs.take_time()  # also when a cut did not come to it


def _finish(cuts: list[Cut]) -> list[str]:
    from exposer.panic.containers import end_containers

    engines = [Attempt(lambda cut=cut: _whatever_happens(cut, end_containers)) for cut in cuts]  # type: ignore[misc]
    for cut in cuts:
        _whatever_happens(cut, Cut.finish)
    for cut in cuts:
        if "--no-verify" not in cut.options.flags:
            from exposer.panic.proof import verify

            _whatever_happens(cut, verify)
    for cut, engine in zip(cuts, engines, strict=True):  # one that hangs does not keep the proof waiting
        if not engine.over(ENGINE_SECONDS):
            cut.trouble.append("the Docker engine has not ended all containers yet")
    from exposer.panic import elsewhere
    from exposer.panic.report import write

    for cut in cuts:
        _whatever_happens(cut, elsewhere.tell_people)
    return [write(cut) for cut in cuts]


def _panic(options: Options, begun: float) -> int:
    if options.drill:
        return _drill(options)
    cuts = [Cut(name, options, begun) for name in names(options)]
    if "--name" in options.values:
        _doubt(cuts[0])
    _cut(cuts)
    if "--name" not in options.values:
        cuts += _lost(cuts, options, begun)
    reports = _finish(cuts)
    hidden = [] if "--name" in options.values else _hidden()
    for cut in cuts[:1]:
        cut.trouble += hidden
    if hidden and not cuts:
        _complain(options, "failed", "; ".join(hidden), "run this as the user who has started it, or as root")
        return 1
    return _say(cuts, reports, max((cut.cut_ms for cut in cuts), default=0.0), options)


def _lost(cuts: list[Cut], options: Options, begun: float) -> list[Cut]:
    """Those that run with their folders gone, or with a disk that does not tell of them: cut now that there is time to
    look at every process."""
    from exposer.panic.find import marked

    known = {cut.name for cut in cuts}
    lost = [Cut(name, options, begun) for name in marked(files.runtime_root()) if name not in known]
    _cut(lost)
    return lost


def _hidden() -> list[str]:
    """Folders that do not tell what is in them: it may be somebody else's exposures, or some that do not run."""

    def looked(root: str) -> str:
        try:
            os.listdir(root)
        except PermissionError:
            return "may not be looked into"
        except OSError:
            pass
        return ""

    roots = dict.fromkeys([files.runtime_root(), files.state_root()])
    found = [(root, within(LOOK_SECONDS, lambda root=root: looked(root), "does not answer")) for root in roots]  # type: ignore[misc]
    return [f"{root} {why}, so it is not known what runs there" for root, why in found if why]


def _drill(options: Options) -> int:
    """The same cut on what runs; then back. The measure begins once it is known that there is a way back."""
    from exposer.panic.drill import Way, come_back, way_back
    from exposer.panic.report import write

    found = {name: way_back(name) for name in names(options)}
    ways = {name: way for name, way in found.items() if isinstance(way, Way)}
    if not ways:
        why = "; ".join(str(reason) for reason in found.values()) or "there is no exposure to practise on"
        _complain(options, "not-running", why, "nothing was cut")
        return 5
    cuts = [Cut(name, options, time.monotonic()) for name in ways]
    reports = _take_offline(cuts)
    for at, cut in enumerate(cuts):
        if cut.trouble or cut.open:
            cut.trouble.append("the drill went wrong, so it stays cut and locked: exposer unlock")
            continue
        _hear(signal.SIGTERM, signal.SIG_DFL)  # what is started now has to hear of it
        wrong = come_back(cut, ways[cut.name])
        if wrong:
            cut.trouble.append(f"{wrong}; it is cut and locked again")
            again = Cut(cut.name, Options(["--reason=a drill did not come back"]), time.monotonic())
            _take_offline([again])
            cut.trouble += again.trouble
            cut.open += again.open
        reports[at] = write(cut) or reports[at]
    return _say(cuts, reports, max(cut.cut_ms for cut in cuts), options)


def _doubt(cut: Cut) -> None:
    """A mistyped name would leave the exposure that was meant online."""
    known = exposures()
    if cut.name not in known:
        cut.trouble.append(f"there is no exposure called {cut.name} here; there are: {', '.join(known) or 'none'}")


def _whatever_happens(cut: Cut, step: "Callable[[Cut], None]") -> None:
    """No surprise in one step may keep the next from being done."""
    try:
        step(cut)
    except Exception as error:
        cut.trouble.append(f"{step.__name__}: {type(error).__name__}: {error}")


def _say(cuts: list[Cut], reports: list[str], took: float, options: Options) -> int:
    still_open = [line for cut in cuts for line in cut.open]
    trouble = [line for cut in cuts for line in cut.trouble]
    if "--json" in options.flags:
        import json

        said = {"schema": 1, "cut_ms": round(took, 1), "exposures": [cut.as_dict() for cut in cuts]}
        print(json.dumps(said))
        if still_open or trouble:
            _complain(options, "unverified" if still_open else "failed", "; ".join(still_open + trouble))
        return 8 if still_open else 1 if trouble else 0
    if not {"-q", "--quiet"} & options.flags:
        if (adjust := getattr(sys.stdout, "reconfigure", None)) is not None:
            adjust(errors="backslashreplace")  # a name may be any bytes
        if not cuts:
            print("there is no exposure to take offline")
        for cut, report in zip(cuts, reports, strict=True):
            print(f"{cut.name}: {_in_short(cut, took)}")
            if cut.proof:
                print(f"  proof: {cut.proof}")
            print(f"  report: {report or 'could not be written'}")
    for line in [line for cut in cuts for line in cut.notes]:
        print(f"note: {line}", file=sys.stderr)
    for line in trouble:
        print(f"warning: {line}", file=sys.stderr)
    for line in still_open:
        print(f"error: {line}", file=sys.stderr)
    return 8 if still_open else 1 if trouble else 0


def _in_short(cut: Cut, took: float) -> str:
    if cut.options.drill and not (cut.open or cut.trouble):
        back = next((str(step["url"]) for step in cut.steps if step["step"] == "came back"), "")
        return f"a drill: offline after {took:.0f} ms, back online at {back}".removesuffix(" at ")
    held = "locked until `exposer unlock`" if cut.locked else "NOT locked"
    return f"NOT offline, {held}" if cut.open else f"offline after {took:.0f} ms, {held}"


def _complain(options: Options, code: str, message: str, hint: str = "") -> None:
    if "--json" in options.flags:
        import json

        error = {"code": code, "message": message, "hint": hint}
        print(json.dumps({"schema": 1, "error": error}), file=sys.stderr)
    else:
        print(f"error: {message}\n  {hint}", file=sys.stderr)
