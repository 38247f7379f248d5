"""What an answer that is not our gateway's says about where the way is broken. Pure."""

import re
from urllib.parse import urlsplit

from exposer.tunnels.ngrok_codes import code_in, explain
from exposer.wire import Answer

EDGE, AGENT, GATEWAY = "edge", "agent", "gateway"

# Cloudflare's own words: `error code: 1033` is the whole body for callers that want no page.
_CLOUDFLARE = re.compile(r"error code: (\d{3,4})\b")
_NO_AGENT = {1033, 530}
_LEDGE = {
    429: "Cloudflare asks to call less often",
    1015: "Cloudflare asks to call less often",
    1016: "Cloudflare does not find the tunnel behind this name: its DNS entry leads nowhere",
    1020: "a rule of the Cloudflare account refuses the call",
}
_NGROK_OFFLINE, _NGROK_PAGE = {3200}, {6022, 6024}
_NGROK_ORIGIN = {3004, 8012}
_MARKS = ("cf-ray", "cf-mitigated", "cf-cache-status")


def diagnose(url: str, answer: Answer) -> tuple[str, str]:
    """The hop that is broken and a sentence on it. `answer` came for a path that only our gateway knows."""
    if code := code_in(answer.headers.get("ngrok-error-code", "")):
        return _ngrok(code)
    cloudflares = any(mark in answer.headers for mark in _MARKS) or _CLOUDFLARE.match(_text(answer))
    if cloudflares and (found := _cloudflare(answer)):
        return found
    if elsewhere := _led_elsewhere(url, answer):
        return EDGE, elsewhere
    if answer.status == 511:
        return EDGE, "the network here wants somebody to sign in first (a captive page)"
    if answer.status in (502, 503, 504) and not _is_problem(answer):
        return GATEWAY, f"the far end of the tunnel does not reach the gateway (status {answer.status})"
    if _is_problem(answer):
        return EDGE, f"{url} leads to another gateway (status {answer.status})"
    if "html" in answer.headers.get("content-type", ""):
        return EDGE, f"a page answers at {url} in place of the gateway (status {answer.status})"
    return EDGE, f"somebody else answers at {url} (status {answer.status})"


def _ngrok(code: int) -> tuple[str, str]:
    if code in _NGROK_OFFLINE:
        return AGENT, f"ngrok has no agent for this address (ERR_NGROK_{code})"
    if code in _NGROK_ORIGIN:
        return GATEWAY, f"ngrok's agent does not reach the gateway (ERR_NGROK_{code})"
    if code in _NGROK_PAGE:
        return EDGE, f"ngrok shows a page of its own in place of the gateway (ERR_NGROK_{code})"
    fault = explain(code)
    return EDGE, fault.text


def _cloudflare(answer: Answer) -> tuple[str, str] | None:
    said = _CLOUDFLARE.search(_text(answer))
    code = int(said[1]) if said else answer.status
    if code in _NO_AGENT or (answer.status == 530 and not said):
        return AGENT, f"Cloudflare has no connection to the tunnel's agent (error {code})"
    if code in _LEDGE:
        return EDGE, f"{_LEDGE[code]} (error {code})"
    if answer.headers.get("cf-mitigated") == "challenge":
        return EDGE, "Cloudflare asks callers to prove that they are people"
    if answer.status in (502, 503, 504) and not _is_problem(answer):
        return GATEWAY, f"Cloudflare's agent does not reach the gateway (status {answer.status})"
    if code >= 1000 or 520 <= answer.status <= 527:
        return EDGE, f"Cloudflare answers with an error of its own ({code})"
    return None


def _led_elsewhere(url: str, answer: Answer) -> str:
    if not 300 <= answer.status < 400:
        return ""
    host = urlsplit(answer.headers.get("location", "")).hostname or "another place"
    if host.endswith(".cloudflareaccess.com"):
        return "Cloudflare Access asks callers to log in: no program gets past it"
    return f"{url} leads on to {host}: a captive page, or a rule at the edge"


def _is_problem(answer: Answer) -> bool:
    """Whether it has the form of a gateway of ours."""
    return answer.headers.get("content-type", "").startswith("application/problem+json")


def _text(answer: Answer) -> str:
    return answer.body[:4096].decode(errors="replace").strip()
