"""The gateway's files are tried out where nobody can reach them, before they come into force."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from exposer import procs
from exposer.errors import ExposerError, LockedError
from exposer.gateway import folder as place
from exposer.gateway import proof
from exposer.gateway.policy import Policy, Upstream
from exposer.gateway.runner import Runner
from exposer.gateway.selftest import SelfTest
from exposer.openapi.model import Operation
from exposer.procs import ProcessId

SOCKET = "rehearsal.sock"
TURNOVER = 10.0  # until nginx must answer


@dataclass(frozen=True, slots=True)
class Found:
    """`refused` is what nginx has against the files, `hole` a call that they do not refuse; "" for nothing."""

    refused: str = ""
    hole: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """nginx beside the real one. It has no backend and no valid key, but knows one that was withdrawn: whatever it does
    not refuse is a hole, as in an own template that leaves out a check. `render` makes files for a policy and a place
    to listen at."""

    folder: Path
    policy: Policy
    runner: Runner
    render: Callable[[Policy, str], dict[str, str]]

    def of(
        self,
        texts: dict[str, str],
        record: Callable[[ProcessId], None],
        hidden: Collection[Operation],
        *,
        with_keys: bool,
    ) -> Found:
        """What is wrong with these. `with_keys`: what a key must not do is tried as well."""
        policy, withdrawn = proof.with_withdrawn(self.policy)
        test = SelfTest(self.folder, policy, hidden) if with_keys else None
        policy = test.with_keys() if test else policy
        # Nobody calls a rehearsal from outside: behind the lock of addresses it would not show what the keys do.
        nowhere = Upstream("http", "unix:no-backend.sock", "")
        aside = replace(policy, allow_from=None, front=None, doors=False, upstream=nowhere)
        closed = self.render(aside, f"unix:{SOCKET}")
        with (
            place.stage(self.folder, texts) as real,
            place.stage(self.folder, closed) as stage,
            ThreadPoolExecutor(1) as beside,
        ):
            checked = beside.submit(self.runner.check, real)
            try:
                hole, failed = self._hole(stage, record, policy, withdrawn, test), None
            except LockedError:
                raise
            except ExposerError as error:
                hole, failed = "", error
            refused = checked.result()  # first, as nginx itself knows best why it does not start
        if failed is not None and not refused:
            raise failed
        return Found(refused, hole)

    def _hole(
        self,
        stage: Path,
        record: Callable[[ProcessId], None],
        policy: Policy,
        withdrawn: proof.Attempt,
        test: SelfTest | None,
    ) -> str:
        process = self.runner.spawn(stage, record)
        try:
            base = f"unix:{stage}/{SOCKET}"
            procs.wait_until(lambda: proof.ask(base, proof.PROBING) != 0 or not process.alive(), TURNOVER)
            return proof.hole(base, policy, withdrawn) or (replace(test, folder=stage).hole(base) if test else "")
        finally:
            self.runner.stop(process)
