"""Ends an exposure's containers through the engine, all at once; one that hangs keeps nobody waiting for the others."""

from exposer import files, procs
from exposer.panic.bounded import Attempt
from exposer.panic.cut import Cut
from exposer.panic.engine import SECONDS, Engine, EngineError


def end_containers(cut: Cut) -> None:
    """Ends our containers, also those the ledger does not know."""
    known = {entry.ids["container"]: entry for entry in cut.entries if "container" in entry.ids}
    engine = Engine()
    if not engine.present():
        if any(not _dead(cut, entry) for entry in known.values()):
            cut.trouble.append("containers are on record, and there is no Docker engine to ask about them")
        return
    ends = [Attempt(_work(cut, engine, container, entry)) for container, entry in known.items()]
    found: list[tuple[str, str]] = []
    looking = Attempt(lambda: found.extend(engine.ours(cut.name, files.state_root())))
    if not looking.over(2 * SECONDS):
        cut.trouble.append("the Docker engine does not answer")
    elif looking.error is not None:
        absent = isinstance(looking.error, EngineError) and looking.error.absent
        if not absent or not all(_dead(cut, entry) for entry in known.values()):
            cut.trouble.append(f"the Docker engine: {looking.error}")
    for container, role in list(found):
        if container not in known:
            entry = procs.Entry(role, ids={"container": container})
            ends.append(Attempt(_work(cut, engine, container, entry)))
    for attempt in ends:
        if not attempt.over(2 * SECONDS):
            cut.trouble.append("the Docker engine does not answer about a container of ours")


def _dead(cut: Cut, entry: procs.Entry) -> bool:
    """Whether its own first process, known from the ledger, is gone: then the engine need not be asked."""
    return entry.process is not None and cut.should_be_gone(entry) and not entry.process.alive()


def _work(cut: Cut, engine: Engine, container: str, entry: procs.Entry):  # type: ignore[no-untyped-def]
    return lambda: _end(cut, engine, container, entry)


def _end(cut: Cut, engine: Engine, container: str, entry: procs.Entry) -> None:
    """One that cannot be ended must not keep the others from being ended."""
    verb = _verb(cut, entry)
    try:
        if verb and engine.end(container, verb):
            cut.step(f"container {verb}", role=entry.role, container=container[:12])
        if entry.role == "backend" and cut.backend_mode() == "keep" and not cut.adopted(entry):
            for network in engine.networks(container):
                engine.disconnect(network, container)
                cut.step("network cut", container=container[:12])
    except Exception as error:  # an answer, or an id on record, may be any nonsense
        if not _dead(cut, entry):
            cut.trouble.append(f"the Docker engine: {error}")


def _verb(cut: Cut, entry: procs.Entry) -> str:
    if entry.role != "backend":
        return "kill"
    if cut.adopted(entry):
        return ""
    return {"stop": "kill", "pause": "pause", "keep": ""}[cut.backend_mode()]
