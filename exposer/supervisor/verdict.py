"""What a fact means for the attempt to come online. Pure."""

from exposer.errors import SelfTestError
from exposer.state.facts import Documented, Fact, Failed
from exposer.state.model import SCHEMA, STANDBY, TUNNEL
from exposer.supervisor.exposure import Exposure


def fact_role(fact: Fact) -> str:
    """The part a fact is about; the document's is `schema`."""
    return SCHEMA if isinstance(fact, Documented) else str(getattr(fact, "role", SCHEMA))


def nothing_published(fact: Documented) -> Failed:
    """Why it would make no sense to go online: every call would be refused."""
    if fact.document is None:
        why = "there is no document, and schema.include names no calls"
        hint = 'name some, such as schema.include = ["GET /items/{id}"], or set backend.openapi'
    elif not fact.total:
        why, hint = "the document has no operations", "is it the right one? Look at backend.openapi"
    else:
        why = f"the document has {fact.total} operations, and none of them is chosen"
        hint = "choose with schema.methods, schema.include and schema.exclude"
    return Failed(SCHEMA, f"nothing would be published: {why}", hint, code="nothing-published")


def late(state: Exposure) -> Failed:
    """What kept a start waiting for longer than it was given, and what to do about it."""
    ill = [unit for unit in state.units.values() if not unit.healthy and unit.role != state.other]
    why = "; ".join(f"{unit.role}: {unit.error or 'still ' + unit.phase}" for unit in ill)
    why = why or (state.checked.why if state.checked else "not yet reachable")
    hint = "\n".join((*(unit.hint for unit in ill if unit.hint), "or give it longer: --timeout 300s"))
    return Failed("up", f"not online in time ({why})", hint.removeprefix("or "), "timeout", 7)


def fails_fast(fact: Failed, *, spare: bool = False) -> bool:
    """Whether a first start should end here: only a tunnel's passing trouble is worth waiting for, and with a `spare`
    one all its troubles but what is missing here. The spare one itself keeps nobody from going online."""
    if fact.keeps or fact.role == STANDBY:
        return False
    fatal = fact.fatal and not (spare and fact.role == TUNNEL)
    return fatal or fact.role != TUNNEL or fact.code in ("missing", "config", SelfTestError.code)
