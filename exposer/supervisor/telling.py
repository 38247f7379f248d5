"""What is said, and journalled, about a fact: its kind, a sentence for a person, and data. Pure."""

from typing import Any

from exposer.state.facts import Documented, Fact, Failed, Gone, Looked, Reloaded, Started, Stopped
from exposer.state.model import Unit

Said = tuple[str, str, dict[str, Any]]


def sentence(fact: Fact, before: Unit, *, wanted: bool, news: bool, ends: bool) -> Said | None:
    """`before` is what was known of the part; `news` that a document chooses other operations than before; `ends`
    that a failure ends the attempt to come online. None when there is nothing new in it."""
    match fact:
        case Started(role=role, adopted=True):
            return "adopted", f"{role}: runs already, taken over", {"role": role}
        case Started(role=role, seconds=seconds):
            return "started", f"{role}: up", {"role": role, "seconds": round(seconds, 3)}
        case Reloaded(role=role, seconds=seconds):
            return "reloaded", f"{role}: change taken over", {"role": role, "seconds": round(seconds, 3)}
        case Stopped(role=role):
            return "stopped", f"{role}: stopped", {"role": role}
        case Gone(role=role) if not wanted:
            return "stopped", f"{role}: stopped", {"role": role}
        case Gone(role=role, why=why):
            return "gone", f"{role}: {why}{_what_follows(fact)}", {"role": role}
        case Failed():
            return _failure(fact, before, ends)
        case Documented(operations=ops, total=total) if news:
            return "document", f"schema: {len(ops)} of {total} operations to publish", {"published": len(ops)}
        case Looked(role=role, look=look) if look.healthy is False and before.healthy is not False:
            return "unwell", f"{role}: {look.error or 'not well'}", {"role": role}
        case Looked(role=role, look=look) if look.healthy and before.healthy is False:
            return "well", f"{role}: well again", {"role": role}
    return None


def _failure(fact: Failed, before: Unit, ends: bool) -> Said | None:
    data = {"role": fact.role}
    if fact.keeps:
        text = f"{fact.role}: {fact.error}; the last good one stays in force"
        return ("refused", text, data) if fact.error != before.error else None
    # What ends the attempt is said once, as the error at the end.
    return "gave-up" if ends else "failed", f"{fact.role}: {fact.error}", data


def _what_follows(fact: Gone) -> str:
    if fact.wait >= 60.0:
        return f"; starting it again in {fact.wait / 60.0:.0f} min"
    return "" if fact.fatal else "; starting it again"
