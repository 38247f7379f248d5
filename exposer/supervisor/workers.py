"""Slow work, done in threads of its own; what comes of it arrives in the inbox as a fact."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from exposer.errors import ExposerError, of_system
from exposer.state.facts import Fact, Failed
from exposer.supervisor.inbox import Inbox

Job = Callable[[], Fact | None]


class Workers:
    """At most eight things at a time.

    While they are held only what is to be done `at_once` begins. They are held while code is being loaded: of two
    threads that load a package, one by its own name and one by that of a module in it, each can wait for the other
    (python/cpython#83065: then one of them is told of a deadlock).
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="part")
        self._under_way: set[Future[None]] = set()
        self._free = threading.Event()
        self._free.set()
        self._over = False

    def hold(self) -> None:
        self._free.clear()

    def release(self) -> None:
        self._free.set()

    def submit(
        self,
        role: str,
        job: Job,
        *,
        keeps: bool = False,
        otherwise: Callable[[str], Fact] | None = None,
        at_once: bool = False,
    ) -> None:
        """Its error becomes a Failed, or what `otherwise` makes of the sentence."""

        def run() -> None:
            if not at_once:
                self._free.wait()
                if self._over:
                    return
            try:
                fact = job()
            except (ExposerError, OSError) as error:
                told = failed(role, error, keeps=keeps)
                fact = otherwise(told.error) if otherwise else told
            except Exception as error:  # a bug must not kill the loop; it is shown and journalled
                text = f"{type(error).__name__}: {error}"
                fact = otherwise(text) if otherwise else Failed(role, text, code="internal", keeps=keeps)
            if fact is not None:
                self._inbox.hear(fact)

        future = self._threads.submit(run)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)

    def close(self, patience: float = 0.0) -> None:
        """What has not begun is not begun any more, and what is under way is waited for so long (seconds)."""
        self._over = self._over or not self._free.is_set()
        self._free.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        wait(list(self._under_way), patience)


def failed(role: str, raised: ExposerError | OSError, *, keeps: bool) -> Failed:
    """An error as a fact about a part; `keeps` when what ran before still runs."""
    error = of_system(raised) if isinstance(raised, OSError) else raised
    return Failed(
        role,
        error.message,
        error.hint,
        error.code,
        error.exit_code,
        fatal=bool(getattr(error, "fatal", False)),
        keeps=keeps,
        wait=float(getattr(error, "retry_after", 0.0) or 0.0),
    )
