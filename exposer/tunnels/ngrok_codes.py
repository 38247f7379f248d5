"""ngrok's error codes in plain words: which can be mended by waiting, and which only by a person."""

import re

from exposer.tunnels.fact import Fault

_CODE = re.compile(r"ERR_NGROK_(\d+)")
_NETWORK = re.compile(r"no such host|unreachable|connection refused|server misbehaving|i/o timeout|no route")
_TOKEN = "copy the authtoken again from the ngrok dashboard into the place that tunnel.token names"  # noqa: S105
_PLAN = "the ngrok dashboard shows the account's plan and what is used up"
_MONTH = 6 * 3600.0

# code: what is wrong, what to do, fatal, how long to wait
_CODES: dict[int, tuple[str, str, bool, float]] = {
    102: ("the ngrok account is suspended because of a payment", _PLAN, True, 0),
    103: (
        "the ngrok account is suspended for breaking the terms of service",
        "write to ngrok's support",
        True,
        0,
    ),
    105: ("the ngrok authtoken is not one", _TOKEN, True, 0),
    106: ("the ngrok authtoken is of an old kind that is no longer valid", _TOKEN, True, 0),
    107: ("the ngrok authtoken was revoked or reset", _TOKEN, True, 0),
    108: (
        "too many ngrok agents run with this account",
        "end another agent, or wait for it to go",
        False,
        60,
    ),
    120: ("this ngrok agent is too old", "install the newest ngrok agent", True, 0),
    121: ("this ngrok agent is older than the account allows", "install the newest ngrok agent", True, 0),
    122: ("the ngrok account may not use this region's entrance", "leave tunnel.region away", True, 0),
    123: ("the ngrok account's e-mail address is not verified", "verify it in the ngrok dashboard", True, 0),
    313: (
        "a name of one's own choice needs a paid ngrok plan",
        "leave tunnel.hostname away, or change the plan",
        True,
        0,
    ),
    314: (
        "a domain of one's own needs a paid ngrok plan",
        "leave tunnel.hostname away, or change the plan",
        True,
        0,
    ),
    324: ("this ngrok account has too many endpoints open", _PLAN, False, 60),
    334: (
        "this address is already online in another ngrok agent",
        "end the other agent; a lost one goes by itself",
        False,
        20,
    ),
    348: (
        "too many ngrok agents run with this account",
        "end another agent, or wait for it to go",
        False,
        60,
    ),
    702: ("too many connections a minute for the ngrok plan", _PLAN, False, 60),
    703: ("too many connections a minute for the ngrok plan", _PLAN, False, 60),
    725: ("the month's bandwidth of the ngrok plan is used up", _PLAN, False, _MONTH),
    726: ("the month's connections of the ngrok plan are used up", _PLAN, False, _MONTH),
    727: ("the month's HTTP requests of the ngrok plan are used up", _PLAN, False, _MONTH),
    728: ("the month's HTTP connections of the ngrok plan are used up", _PLAN, False, _MONTH),
    734: ("too many requests a minute for the ngrok plan", _PLAN, False, 60),
    3004: ("the gateway's answer is not HTTP to ngrok", "see: exposer logs gateway", False, 0),
    3200: ("the address is offline at ngrok", "the agent has lost it; it is opened again", False, 0),
    3208: ("the ngrok account is banned", "write to ngrok's support", True, 0),
    4018: ("ngrok wants an authtoken and got none", _TOKEN, True, 0),
    4026: ("the ngrok credit is used up", _PLAN, False, _MONTH),
    4027: ("the ngrok bandwidth is used up", _PLAN, False, _MONTH),
    6022: ("ngrok shows web pages to signed-in accounts only", _TOKEN, True, 0),
    6024: (
        "ngrok shows its browser warning in place of the answer",
        "browsers see it on the free plan; API clients do not, nor does a request with the header "
        "ngrok-skip-browser-warning",
        False,
        0,
    ),
    6030: ("another agent has this address with other settings", "end the other agent", False, 60),
    6032: ("the ngrok plan does not include an action of the traffic policy", "see tunnel.traffic_policy", True, 0),
    8012: ("ngrok reaches the agent, and the agent does not reach the gateway", "see: exposer status", False, 0),
    8013: ("ngrok wants a payment card on file for this", _PLAN, True, 0),
    8014: ("ngrok has blocked this agent", "write to ngrok's support", True, 0),
    9009: (
        "ngrok through a proxy needs a paid plan",
        "let this machine reach ngrok without a proxy",
        True,
        0,
    ),
    9040: (
        "the ngrok account does not allow agents from this network",
        "see IP restrictions in the dashboard",
        True,
        0,
    ),
}


def code_in(text: str) -> int:
    """The error code that a text of ngrok's names, or 0."""
    match = _CODE.search(text)
    return int(match.group(1)) if match else 0


def explain(code: int, said: str = "") -> Fault:
    """What an error code means; `said` is the provider's own (redacted) text, for want of a better one."""
    if code in _CODES:
        text, hint, fatal, wait = _CODES[code]
        return Fault(f"{text} (ERR_NGROK_{code})", hint, fatal, wait)
    if code:
        return Fault(f"ngrok says: {said or f'ERR_NGROK_{code}'}", f"https://ngrok.com/docs/errors/err_ngrok_{code}")
    return Fault(
        f"the ngrok agent failed: {said}" if said else "the ngrok agent failed and gave no reason", _hint(said)
    )


def _hint(said: str) -> str:
    if "x509" in said:
        return "is this machine's clock right (see: date)? If it is, something in between answers in ngrok's place"
    if _NETWORK.search(said):
        return "is this machine online, and does its DNS work? It is tried again"
    return ""
