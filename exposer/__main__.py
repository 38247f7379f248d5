"""The `exposer` command. `panic` is seen before anything else is imported: it must be fast, and work always."""

import gc
import sys

# Options that may stand before the command, and whether they take a value.
GLOBAL = {"-f": True, "--file": True, "--json": False, "-q": False, "--quiet": False, "-v": False}
GLOBAL |= {"--verbose": False, "--no-color": False}

# How long threads that have not ended yet are waited for at the end (seconds).
LAST = 60.0


def command_at(argv: list[str]) -> int | None:
    """Where the command's name stands, past the global options; None when there is none."""
    at = 0
    while at < len(argv):
        word = argv[at]
        if not word.startswith("-"):
            return at
        at += 2 if GLOBAL.get(word, False) else 1
    return None


def main() -> int:
    """Runs the command line and returns its exit code."""
    argv = sys.argv[1:]
    at = command_at(argv)
    if at is not None and argv[at] == "panic":
        return panic(argv[:at] + argv[at + 1 :])
    gc.disable()
    from exposer.cli.root import main as run

    gc.freeze()  # what is loaded by now is there to stay: not looking through it again and again saves 6 ms of 40
    gc.enable()
    return run(argv)


def panic(argv: list[str] | None = None) -> int:
    """The kill switch, also installed as `exposer-panic`. Where it may, it goes before all else that wants a processor
    while it is still being loaded; exposer.procs.hurry, which does the same, is a part of what is loaded."""
    import os

    gc.disable()  # it ends soon
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, OSError):  # not on this system, or not for this user
        pass
    from exposer.panic import main

    return main(argv)


def entry() -> int:
    """The command itself: once all is written it ends at once, as taking everything that was loaded apart again would
    cost more than many a command does. With other threads, or when something cannot be written, it ends as usual, but
    waits for none of them for ever."""
    code = main()
    import os

    threading = sys.modules.get("threading")
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return code
    if threading is None or threading.active_count() == 1:
        os._exit(code)

    def insist() -> None:
        threading.Event().wait(LAST)
        os._exit(code)

    threading.Thread(target=insist, name="insist", daemon=True).start()
    return code


if __name__ == "__main__":
    sys.exit(entry())
