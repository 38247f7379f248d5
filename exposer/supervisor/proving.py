"""One self-test of the parts that run, and what follows before anything is open."""

from collections.abc import Mapping

from exposer import procs
from exposer.errors import SelfTestError
from exposer.procs import Entry
from exposer.state.facts import SelfTested
from exposer.state.model import BACKEND, GATEWAY
from exposer.supervisor.ports import Beside, Part, Provable
from exposer.supervisor.turns import Turns

# A self-test that met a change of the gateway, or trouble, is made anew so often, after so long (seconds).
TESTS, AGAIN = 4, 0.5
TURNED_WITHIN = 60.0

ALSO_OPEN = "let it listen on 127.0.0.1 only, or allow it knowingly with backend.also_open = true"
LOGS = "nothing was opened; see: exposer logs gateway, exposer logs backend"


def proved(parts: Mapping[str, Part], entries: Mapping[str, Entry], *, whole: bool, opened: bool) -> SelfTested:
    """What a self-test of these shows. Parts that cannot be asked are not."""
    part, entry = parts.get(BACKEND), entries.get(BACKEND)
    beside = part.beside(entry) if isinstance(part, Beside) and entry is not None else []
    if beside:
        where = f"{', '.join(beside[:3])}{' …' * (len(beside) > 3)}"
        return SelfTested(hole=f"the backend answers at {where} too, past the gateway", opened=opened)
    part, entry = parts.get(GATEWAY), entries.get(GATEWAY)
    if entry is None or not isinstance(part, Provable):
        return SelfTested(why="there is nothing to ask", opened=opened)
    proof = part.prove(entry, whole=whole)
    return SelfTested(proof.calls, proof.hole, proof.trouble, proof.passed, proof.why, opened)


def steadily(parts: Mapping[str, Part], entries: Mapping[str, Entry], turns: Turns, *, opened: bool) -> SelfTested:
    """What holds of the parts that run. A hole counts at once, unless the gateway was changed meanwhile; trouble may
    pass."""
    for left in reversed(range(TESTS)):
        turns.wait(GATEWAY, TURNED_WITHIN)
        turn = turns.count(GATEWAY)
        shown = proved(parts, entries, whole=opened, opened=opened)
        if turns.steady(GATEWAY, turn) and (not shown.trouble or not left):
            return shown
        procs.wait_until(lambda: False, AGAIN)
    return SelfTested(trouble="the gateway was being changed all the time", opened=opened)


def insist(tested: SelfTested) -> None:
    """Raises SelfTestError when it has found anything; trouble, other than a hole, may pass."""
    if not tested.ok:
        hint = ALSO_OPEN if "past the gateway" in tested.hole else LOGS
        error = SelfTestError(f"self-test: {tested.hole or tested.trouble}", hint)
        error.fatal = bool(tested.hole)
        raise error
