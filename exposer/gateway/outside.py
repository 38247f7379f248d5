"""Asks the public address as a stranger would: does our gateway answer there, and does it refuse?"""

from exposer import __version__
from exposer.openapi.model import Operation
from exposer.state.facts import Checked
from exposer.wire import Answer, NoAnswerError, request

# ngrok shows a browser page to strangers unless told that this is none.
HEADERS = {"User-Agent": f"exposer/{__version__}", "ngrok-skip-browser-warning": "1"}
SECONDS = 8.0


def check(url: str, operations: tuple[Operation, ...], probe: str, answer: str) -> Checked:
    """One look from outside: `probe` is a path only our gateway knows, `answer` what it says there. Never raises."""
    try:
        found = request(url, f"/.exposer/{probe}", headers=HEADERS, timeout=SECONDS)
        if found.status != 200 or found.body.decode(errors="replace").strip() != answer:
            return Checked(url, False, None, f"{url} does not lead to this gateway: {_what(found)}")
        open_call = _unlocked(url, operations)
    except NoAnswerError as error:
        return Checked(url, False, None, error.message, resolvable=error.stage not in ("resolve", "connect"))
    if open_call:
        return Checked(url, True, False, f"{open_call} was answered without a key")
    return Checked(url, True, True)


def _unlocked(url: str, operations: tuple[Operation, ...]) -> str:
    """The first of a few paths that is answered although no key was shown, or ""."""
    paths = ["/", *(op.full_path for op in operations[:3] if op.method == "GET" and "{" not in op.full_path)]
    for path in paths:
        status = request(url, path, headers=HEADERS, timeout=SECONDS, limit=50_000_000).status
        if status < 400:
            return f"GET {path}"
    return ""


def _what(found: Answer) -> str:
    code = found.headers.get("ngrok-error-code")
    return f"status {found.status}" + (f", {code}" if code else "")
