"""Asks the gateway as somebody without a key would, and says what was not refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from exposer.gateway.credential import credential
from exposer.gateway.passer import passers
from exposer.gateway.policy import Policy
from exposer.keys.model import Ring
from exposer.keys.ring import mint
from exposer.wire import NoAnswerError, request

NOBODY = "exp_00000000_" + "0" * 43 + "_000000"
REFUSED = (401, 429)  # bad callers have a quota, and behind a tunnel all of them have the same address
MOST = 40
AT_ONCE = 2.0  # seconds for a look that is repeated anyway
UNTIL_SILENT = 10.0  # seconds in which a gateway must answer whoever tests it, however busy the machine is


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call that must not get through."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)


PROBING = Attempt("GET", "/.exposer")


def with_withdrawn(policy: Policy) -> tuple[Policy, Attempt]:
    """The same rules with one key more that they know and that has no file in `live`, and a call with it."""
    ring, clear = mint(Ring(policy.salt), "withdrawn", 0.0)
    method, path = _somewhere(policy)
    called = Attempt(method, path, credential(policy.methods, policy.header, clear.reveal()))
    return replace(policy, passers=(*policy.passers, *passers(ring.keys, (), 0.0))), called


def attempts(policy: Policy) -> Iterator[Attempt]:
    """No key and a wrong key, where something is published and where nothing is."""
    yield Attempt("GET", "/")
    yield Attempt("GET", "/.exposer/nothing")
    for route in policy.routes[:MOST]:
        yield Attempt(route.method, route.sample)
    method, path = _somewhere(policy)
    yield Attempt(method, path, {policy.header: NOBODY})
    yield Attempt(method, path, {"Authorization": f"Bearer {NOBODY}"})
    yield Attempt(method, path, {"Authorization": "Basic YTpi"})


def hole(base: str, policy: Policy, *more: Attempt) -> str:
    """The first call that a freshly started gateway does not refuse, as a sentence; "" when it refuses them all."""
    for number, attempt in enumerate((*attempts(policy), *more)):
        status = ask(base, attempt, UNTIL_SILENT)
        if status not in (REFUSED[:1] if number == 0 else REFUSED):
            answer = f"answers {status}" if status else "does not answer"
            return f"without a valid key {attempt.method} {attempt.path} {answer} instead of 401"
    return ""


def _somewhere(policy: Policy) -> tuple[str, str]:
    return (policy.routes[0].method, policy.routes[0].sample) if policy.routes else ("GET", "/")


def look(base: str, probe: str, timeout: float = AT_ONCE) -> int:
    """The status of a call without a key that goes the way of all calls, but not into the log."""
    return ask(base, Attempt("GET", f"/.exposer/{probe}/refused"), timeout)


def refuses(base: str, probe: str, timeout: float = AT_ONCE) -> bool:
    """Whether a call without a key is refused."""
    return look(base, probe, timeout) in REFUSED


def generation(base: str, probe: str) -> str:
    """The mark of the generation that answers; "" when none does."""
    try:
        answer = request(base, f"/.exposer/{probe}/generation", timeout=AT_ONCE)
    except NoAnswerError:
        return ""
    return answer.body.decode(errors="replace") if answer.status == 200 else ""


def ask(base: str, attempt: Attempt, timeout: float = AT_ONCE) -> int:
    """The status of one call; 0 when there was no answer."""
    try:
        return request(
            base, attempt.path, method=attempt.method, headers=attempt.headers, timeout=timeout, limit=1_000_000
        ).status
    except NoAnswerError:
        return 0
