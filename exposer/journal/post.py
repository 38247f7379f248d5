"""Sends the journal's head to somebody who keeps it: then nobody can write the journal anew without being found out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from exposer.errors import ExposerError
from exposer.journal.model import Head

SECONDS = 10.0


def post_heads(urls: Sequence[str], name: str, heads: Mapping[str, Head]) -> None:
    """POSTs JSON to each address. Raises ExposerError for the first that does not take it, once all were tried."""
    import requests

    said = {
        "schema": 1,
        "name": name,
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "heads": {table: {"seq": head.seq, "chain": head.chain} for table, head in heads.items()},
    }
    wrong: list[str] = []
    for url in urls:
        try:
            answer = requests.post(url, json=said, timeout=SECONDS, allow_redirects=False)
            if not answer.ok or answer.is_redirect:
                wrong.append(f"{_where(url)} answers {answer.status_code}")
        except requests.RequestException as error:
            wrong.append(f"{_where(url)}: {type(error).__name__}")
    if wrong:
        raise ExposerError("; ".join(wrong), "see audit.webhook")


def _where(url: str) -> str:
    """The address without its path and query, which may hold a secret."""
    return "/".join(url.split("/", 3)[:3])
