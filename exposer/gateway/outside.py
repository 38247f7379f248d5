"""Asks the public address as a stranger would: does our gateway answer there, and does it refuse?

Our gateway is known by a path and an answer that nobody can guess, and the answer is fresh: it repeats a number that
was drawn for this one request, so that a cache on the way cannot give it. nginx without modules cannot compute a proof
from the number; against somebody on the way who has seen an answer before, only TLS helps.
"""

import secrets
import ssl
from collections.abc import Callable

from exposer import __version__
from exposer.openapi.model import Operation
from exposer.state.facts import Checked
from exposer.wire import Answer, NoAnswerError, request

# ngrok shows a browser page to strangers unless told that this is none.
HEADERS = {"User-Agent": f"exposer/{__version__}", "ngrok-skip-browser-warning": "1"}
SECONDS = 8.0

Diagnose = Callable[[str, Answer], tuple[str, str]]


def check(
    url: str,
    operations: tuple[Operation, ...],
    probe: str,
    answer: str,
    diagnose: Diagnose,
    trust: ssl.SSLContext | None = None,
) -> Checked:
    """One look from outside: `probe` is a path only our gateway knows, `answer` what it says there. `diagnose` says of
    another answer which hop it comes from, and why; `trust` is for an authority that only we know. Never raises."""
    number = secrets.token_hex(16)
    try:
        found = request(url, f"/.exposer/{probe}?nonce={number}", headers=HEADERS, timeout=SECONDS, context=trust)
        said = found.body.decode(errors="replace").strip()
        if found.status != 200 or said != f"{answer} {number}":
            return _not_ours(url, found, stale=said.startswith(answer), diagnose=diagnose)
        open_call = _unlocked(url, operations, trust)
    except NoAnswerError as error:
        far = error.stage in ("resolve", "connect")
        return Checked(url, False, None, error.message, resolvable=not far, hop="edge")
    if open_call:
        return Checked(url, True, False, f"{open_call} was answered without a key")
    return Checked(url, True, True)


def _not_ours(url: str, found: Answer, *, stale: bool, diagnose: Diagnose) -> Checked:
    if stale:
        return Checked(url, False, None, f"{url} repeats an old answer: a cache is in the way", hop="edge")
    hop, why = diagnose(url, found)
    return Checked(url, False, None, f"{url} does not lead to this gateway: {why}", hop=hop)


def _unlocked(url: str, operations: tuple[Operation, ...], trust: ssl.SSLContext | None) -> str:
    """The first of a few paths that is answered although no key was shown, or ""."""
    paths = ["/", *(op.full_path for op in operations[:3] if op.method == "GET" and "{" not in op.full_path)]
    for path in paths:
        status = request(url, path, headers=HEADERS, timeout=SECONDS, limit=50_000_000, context=trust).status
        if status < 400:
            return f"GET {path}"
    return ""
