"""What a panic sets going elsewhere: at the tunnel's provider, and with the people who are to be told."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from exposer.panic.cut import Cut


def cut_at_provider(cut: "Cut") -> None:
    """In the background, where a credential is configured; not for a drill, nor when only a time is over."""
    if cut.locking is None or cut.options.drill:
        return
    watching = [e for e in cut.entries if e.role == "supervisor" and e.detail.get("at_provider")]
    if not watching:
        return
    from exposer.panic import aside
    from exposer.panic.report import path_of

    found = watching[-1].detail["at_provider"]
    jobs = found if isinstance(found, list) else [found]
    try:
        places = [str(job["credential"]).partition(":") for job in jobs]
        names = [name for scheme, _, name in places if scheme == "env"]
        aside.begin("exposer.panic.provider", jobs, aside.environment(names, watching[-1].process), path_of(cut))
        where = " and ".join(str(job["provider"]) for job in jobs)
        cut.notes.append(f"the tunnel is being cut at {where} too; the report will say what came of it")
        cut.step("provider asked")
    except (OSError, KeyError, TypeError, ValueError) as error:
        cut.trouble.append(f"the tunnel could not be cut at its provider: {error}")


def remember_people(cut: "Cut") -> None:
    """Who is to be told, while it can be known how. A drill is nobody's business: it comes back."""
    watching = [e for e in cut.entries if e.role == "supervisor" and e.detail.get("people")]
    if not watching or cut.options.drill:
        return
    from exposer.panic import aside

    names = [str(name) for name in watching[-1].detail["people"].get("env", ())]
    cut.people = watching[-1].detail["people"], aside.environment(names, watching[-1].process)
    cut.notes.append("the people in [notify] are being told; the report will say what came of it")


def tell_people(cut: "Cut") -> None:
    """In the background; the supervisor, which tells them else, is dead, and with it what it had not sent yet."""
    if cut.people is None:
        return
    from exposer.panic import aside
    from exposer.panic.report import path_of

    (job, found), cut.people = cut.people, None
    said = {**job, "name": cut.name, "kind": cut.kind, "reason": cut.options.reason, "at": cut.began}
    said |= {"cut_ms": cut.cut_ms, "locked": cut.locked, "still_open": cut.open}
    try:
        aside.begin("exposer.notify.last", said, found, path_of(cut))
    except OSError as error:
        cut.trouble.append(f"the people in [notify] could not be told: {error.strerror}")
