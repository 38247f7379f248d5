"""One self-test of the parts that run, and what follows before anything is open."""

from collections.abc import Mapping

from exposer.errors import SelfTestError
from exposer.procs import Entry
from exposer.state.facts import SelfTested
from exposer.state.model import BACKEND, GATEWAY
from exposer.supervisor.ports import Beside, Part, Provable

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


def insist(tested: SelfTested) -> None:
    """Raises SelfTestError when it has found anything."""
    if not tested.ok:
        hint = ALSO_OPEN if "past the gateway" in tested.hole else LOGS
        raise SelfTestError(f"self-test: {tested.hole or tested.trouble}", hint)
