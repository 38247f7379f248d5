"""Asks the public address as a stranger would: does our gateway answer there, and does it refuse what it must?

Our gateway is known by a path and an answer that nobody can guess, and the answer is fresh: it repeats a number that
was drawn for this one request, so that a cache on the way cannot give it. nginx without modules cannot compute a proof
from the number; against somebody on the way who has seen an answer before, only TLS helps.

Each look costs few calls, for the sake of providers' free quotas: at first all questions of the self-test are put,
later one without a key and one more each time.
"""

import secrets
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from exposer import __version__
from exposer.gateway.probes import Question
from exposer.gateway.selftest import SelfTest, is_refusal, lets_in, request_id
from exposer.state.facts import Checked
from exposer.wire import Answer, NoAnswerError, request

# ngrok shows a browser page to strangers unless told that this is none.
HEADERS = {"User-Agent": f"exposer/{__version__}", "ngrok-skip-browser-warning": "1"}
SECONDS = 8.0
AT_ONCE = 4
LARGEST = 4096

Diagnose = Callable[[str, Answer], tuple[str, str]]
Ask = Callable[[Question], Answer]


def check(
    url: str,
    test: SelfTest,
    diagnose: Diagnose,
    trust: ssl.SSLContext | None = None,
    *,
    whole: bool = False,
    waits: bool = False,
) -> Checked:
    """One look from outside, with all questions or two of them; by a way that `waits` no key lets in. `test` knows what
    only our gateway knows; `diagnose` says of another answer which hop it comes from, and why; `trust` is for an
    authority that only we know. Never raises."""
    number = secrets.token_hex(16)
    policy = test.policy
    try:
        there = f"/.exposer/{policy.probe}?nonce={number}"
        found = request(url, there, headers=HEADERS, timeout=SECONDS, context=trust)
        said = found.body.decode(errors="replace").strip()
        if found.status != 200 or said != f"{policy.probe_answer} {number}":
            return _not_ours(url, found, stale=said.startswith(policy.probe_answer), diagnose=diagnose)
        return _judged(url, test, partial(_answer, url, trust), whole=whole, waits=waits)
    except NoAnswerError as error:
        far = error.stage in ("resolve", "connect")
        return Checked(url, False, None, error.message, resolvable=not far, hop="edge")


def _not_ours(url: str, found: Answer, *, stale: bool, diagnose: Diagnose) -> Checked:
    if stale:
        return Checked(url, False, None, f"{url} repeats an old answer: a cache is in the way", hop="edge")
    hop, why = diagnose(url, found)
    return Checked(url, False, None, f"{url} does not lead to this gateway: {why}", hop=hop)


def _judged(url: str, test: SelfTest, ask: Ask, *, whole: bool, waits: bool) -> Checked:
    """What was let through without a right to it makes the address an open one; a key that is not let in, useless."""
    first, *others = [question for question in test.questions() if not (waits and question.passes)]
    asked = [first, *(others if whole or not others else [secrets.choice(others)])]
    answers = _ask(test, asked, ask)
    for question, answer in zip(asked, answers, strict=True):
        if not question.passes and answer.status < 400:
            return Checked(url, True, False, f"{question.method} {_shown(question)} was answered {question.name}")
    for question, answer in zip(asked, answers, strict=True):
        if question.passes and not lets_in(answer):
            why = f"{url}: {question.method} {question.path} {question.name} is answered {answer.status}"
            return Checked(url, False, True, f"{why}; does something on the way take the key away?", hop="edge")
    return Checked(url, True, True)


def _ask(test: SelfTest, asked: Sequence[Question], ask: Ask) -> list[Answer]:
    """The answers, in order. The key is let in for no longer than it takes."""
    key = test.keys.outside if test.keys is not None and any(question.with_key for question in asked) else None
    with test.own.asking(), test.admitted(key), ThreadPoolExecutor(AT_ONCE) as beside:
        answers = list(beside.map(ask, asked))
        test.own.refused(request_id(answer) for answer in answers)
        for question, answer in zip(asked, answers, strict=True):
            if question.passes and key is not None and not is_refusal(answer):
                test.own.passed(key.id)
    return answers


def _answer(url: str, trust: ssl.SSLContext | None, question: Question) -> Answer:
    headers = {**HEADERS, **question.headers}
    method = question.method
    return request(
        url, question.path, method=method, headers=headers, timeout=SECONDS, limit=LARGEST, context=trust, cut=True
    )


def _shown(question: Question) -> str:
    """A key that stands in an address is told nobody."""
    return question.path.partition("?")[0]
