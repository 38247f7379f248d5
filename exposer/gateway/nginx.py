"""The gateway as a part: tried out aside, put in place, proved to refuse, and reloaded without losing a request."""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from exposer import procs
from exposer.errors import ConfigError, ExposerError
from exposer.gateway import accesslog, farewell, front, host, own_keys, proof, site
from exposer.gateway import folder as place
from exposer.gateway.doors import SECOND
from exposer.gateway.folder import revoke, sync_live
from exposer.gateway.host import find_nginx
from exposer.gateway.own_calls import OwnCalls
from exposer.gateway.passer import kinds
from exposer.gateway.policy import Policy
from exposer.gateway.rehearsal import TURNOVER, Rehearsal
from exposer.gateway.runner import Runner
from exposer.gateway.selftest import Proof, SelfTest
from exposer.openapi.model import Operation
from exposer.procs import Entry, ProcessId
from exposer.state.model import CONTAINERS, GATEWAY, Look, Record, Tell

__all__ = ["NginxProcess", "Runner", "find_nginx", "revoke", "sync_live"]

DRAIN = 0.4  # how long busy connections get to end orderly before the old workers close what is idle
CUT = 0.4  # how long calls of the generation before get to end when a key has: then they are cut, like its streams
MOST_TESTS = 60


class NginxProcess:
    """nginx on 127.0.0.1, for one policy. `digest` names policy and templates, `shape` what only a restart changes.

    `ca` is the file of authorities for an https backend, if not the system's. `passing` tells which keys the ring lets
    in at this moment: it is asked last when keys are made valid.
    """

    role = GATEWAY

    def __init__(
        self,
        folder: str | os.PathLike[str],
        policy: Policy,
        *,
        binary: str = "",
        port: int = 0,
        templates: str = "",
        workers: int = 0,
        ca: str = "",
        passing: Callable[[], Collection[str]] | None = None,
        runner: Runner | None = None,
        own: OwnCalls | None = None,
        hidden: Collection[Operation] = (),
        reads: Callable[[], Collection[str]] = tuple,
        vault: own_keys.Vault | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.policy = policy
        let_in = passing or (lambda: ("somebody",))
        self.test = SelfTest(self.folder, policy, hidden, reads, own or OwnCalls(), lambda: any(let_in()))
        self._port = port
        self._templates = templates
        self._passing = passing
        self._vault = vault
        self._runner: Runner = runner or host.HostNginx(binary)
        self._worker = self._runner.worker()
        self._paths = site.Paths(
            ca=ca or host.certificates(),
            js=self._runner.scripting() if policy.response else "",
            workers=workers or min(4, os.cpu_count() or 1),
        )
        self.shape = sha256(repr((self._runner.engine, str(self.folder), binary, port)).encode()).hexdigest()
        self._keys = " ".join(sorted(policy.live))  # a key that is paused stays in the text
        self._frame = site.digest(self._files(replace(policy, passers=kinds(policy.passers)), ""))
        self.digest = site.digest({**self._files(policy, ""), "shape": self.shape, "keys": self._keys})

    def start(self, record: Record, tell: Tell) -> Entry:
        place.prepare(self.folder, self._worker.gid if self._worker else None)
        place.sweep(self.folder)
        if self.policy.front and self.policy.front.public:
            self.policy.front.public.insist_on_ports()
        listen = self._choose_address()
        mark = os.urandom(16).hex()
        texts = self._render(listen, mark, mine={})
        self._rehearse(texts, record, with_keys=self.policy.doors)  # the door is opened by others
        place.close(self.folder)
        place.shut_door(self.folder)
        place.write(self.folder, {**texts, "nginx.pid": ""})
        front.tidy(self.folder, texts)
        accesslog.begin(self.folder)
        process = self._runner.spawn(self.folder, lambda found: record(self._entry(found, listen, texts)))
        try:
            self._await_generation(process, listen, mark)
            self._insist_on_refusal(listen)
            self._insist_on_no_hole(listen)
            place.close_door_to_others(self.folder)
            place.fill(self.folder, self.policy.live, passing=self._passing)
            place.sync_paused(self.folder, self.policy.paused)
        except BaseException:
            self.stop(self._entry(process, listen, texts))
            raise
        tell(f"the gateway listens on {listen} and refuses calls without a key")
        return self._entry(process, listen, texts)

    def broken(self, entry: Entry, seal: str) -> str:
        """Whether the files are those that were written, or its container is as it was made."""
        if seal == CONTAINERS:
            return "" if entry.process is None else self._runner.tampering(entry.process)
        found = place.differing(self.folder, entry.detail.get("rendered") or {})
        return f"the gateway's files are not those that were written: {', '.join(found)}" if found else ""

    def look(self, entry: Entry) -> Look:
        detail = {"listen": entry.detail.get("listen", ""), "engine": self._runner.engine}
        if entry.process is None or not entry.process.alive():
            return Look(alive=False, healthy=False, error="the gateway's nginx has ended", detail=detail)
        status = proof.look(f"http://{detail['listen']}", self.policy.probe)
        if status in proof.REFUSED:
            return Look(alive=True, healthy=True, detail=detail)
        problem = f"answers {status} instead of refusing" if status else "does not answer"
        return Look(alive=True, healthy=False, error=f"a call without a key: the gateway {problem}", detail=detail)

    def prove(self, entry: Entry, *, whole: bool) -> Proof:
        """Whether what must be is refused, and a key lets in; not `whole`: only what the start has not shown."""
        return self.test.prove(str(entry.detail.get("listen", "")), whole=whole)

    def stop(self, entry: Entry) -> None:
        place.close(self.folder)
        if entry.process is not None:
            farewell.say(self.folder, self.policy.front, self._runner.workers(entry.process))
            self._runner.stop(entry.process)
        (self.folder / "nginx.pid").unlink(missing_ok=True)
        place.shut_door(self.folder)

    def adopt(self, entries: list[Entry]) -> Entry | None:
        """One that runs for this wish, or for one it can be reloaded from: the entry's digest tells which.

        Its digest must stand in the ledger *and* in the folder, and the files must be its own: after a crash during a
        reload they differ. No key becomes valid here that was not.
        """
        here = place.read(self.folder, ["digest"]).get("digest")
        for entry in reversed(entries):
            alive = entry.process is not None and entry.process.alive()
            known = entry.digest == self.digest or entry.detail.get("shape") == self.shape
            if alive and not entry.detail.get("rehearsal") and known and entry.digest == here and self._whole(entry):
                place.fill(self.folder, self.policy.live & place.valid(self.folder), passing=self._passing)
                kept = place.read(self.folder, [own_keys.FILE]).get(own_keys.FILE, "")
                self.test.keys = own_keys.unsealed(kept, self._vault)
                return entry
        return None

    def reload(self, entry: Entry, record: Record, tell: Tell) -> Entry:
        process, listen = entry.process, str(entry.detail["listen"])
        if process is None or not process.alive():
            raise ExposerError("the gateway's nginx has ended")
        mark = os.urandom(16).hex()
        texts = self._render(listen, mark, mine=entry.detail)
        before = place.read(self.folder, set(texts) | place.logins(self.folder))
        rehearsed = before.get("frame") == self._frame  # only keys differ: their rows can be no other than those before
        if rehearsed:
            with place.stage(self.folder, texts):
                pass  # on a full disk nothing has begun yet
        else:
            self._rehearse(texts, record, with_keys=True)
        drained = place.drain(self.folder)
        known = {*drained, *before.get("keys", "").split()}
        try:
            place.sync_live(self.folder, self.policy.live)  # what ends with this reload ends now
            place.sync_paused(self.folder, self.policy.paused)
            place.admit(self.folder, self.policy.live - known, self._passing)
            if not rehearsed:
                procs.wait_until(lambda: False, DRAIN)  # else nginx's own tenth of a second has to do
            old = self._runner.workers(process)
            place.write(self.folder, texts)
            self._runner.reread(process)
            turned = procs.monotonic()
            self._await_generation(process, listen, mark, old)
            self._insist_on_refusal(listen)
        except BaseException:
            self._roll_back(entry, before, drained, mark)
            raise
        for name in place.logins(self.folder) - set(texts):
            (self.folder / name).unlink()
        front.tidy(self.folder, texts)
        place.close_door_to_others(self.folder)
        place.fill(self.folder, self.policy.live, drained & self.policy.live, self._passing)
        cut_at = turned + CUT if known - self.policy.live else None
        farewell.see_off(self.folder, self.policy.front, old, cut_at, tell)
        return self._entry(process, listen, texts)

    def _render(self, listen: str, mark: str, *, mine: Mapping[str, Any]) -> dict[str, str]:
        """`mine` says where it speaks TLS already, and where a second tunnel comes in."""
        secure = self.policy.front.address(self.folder, str(mine.get("secure", ""))) if self.policy.front else ""
        taken = str(mine.get(SECOND, ""))
        second = front.choose_address(self.folder, taken, SECOND) if self.policy.doors else ""
        texts = self._files(self.test.with_keys(), listen, mark, secure, second)
        own = {"digest": self.digest, "frame": self._frame, "keys": self._keys, "listen": listen}
        own |= {own_keys.FILE: own_keys.sealed(self.test.keys, self._vault)}
        before = place.read(self.folder, [accesslog.TESTS]).get(accesslog.TESTS, "").split()[-MOST_TESTS:]
        inside = [self.test.keys.inside.id] if self.test.keys else []  # the one that never leaves this machine
        tests = " ".join([*before, *inside])  # for who reads the log with us gone
        return {**texts, **own, accesslog.TESTS: tests, front.LISTEN: secure, SECOND: second}

    def _files(self, policy: Policy, listen: str, *where: str, paths: site.Paths | None = None) -> dict[str, str]:
        user = (self._worker.user, self._worker.group) if self._worker else None
        return site.render(policy, listen, paths or self._paths, user, self._templates, *where)

    def _rehearse(self, texts: dict[str, str], record: Record, *, with_keys: bool = False) -> None:
        """Raises ConfigError when nginx or we cannot accept these files. `with_keys`: callers' keys are valid when they
        come into force."""
        paths = replace(self._paths, workers=1, door="")
        rehearsal = Rehearsal(self.folder, self.policy, self._runner, partial(self._files, paths=paths))
        note = partial(Entry, self.role, detail={"rehearsal": True, "engine": self._runner.engine})
        found = rehearsal.of(
            texts, lambda process: record(note(process=process)), self.test.hidden, with_keys=with_keys
        )
        if found.refused:
            raise ConfigError(f"nginx refuses the gateway's files: {self._masked(found.refused)}", self._hint())
        if found.hole:
            raise ConfigError(f"the gateway would not be safe: {found.hole}", self._hint())

    def _await_generation(self, process: ProcessId, listen: str, mark: str, old: Collection[ProcessId] = ()) -> None:
        """Until the new workers answer and the old ones take no more."""

        def answers() -> bool:
            return proof.generation(f"http://{listen}", self.policy.probe) == mark

        def settled() -> bool:
            procs.reap()
            return not process.alive() or (answers() and all(host.retired(worker) for worker in old))

        if not procs.wait_until(settled, TURNOVER, every=0.02) or not answers():
            words = self._masked(host.last_words(self.folder))
            raise ExposerError(f"nginx does not answer on {listen}: {words}", "see: exposer logs gateway")

    def _insist_on_refusal(self, listen: str) -> None:
        if not proof.refuses(f"http://{listen}", self.policy.probe, proof.UNTIL_SILENT):
            raise ConfigError("the gateway does not refuse a call without a key", self._hint())

    def _insist_on_no_hole(self, listen: str) -> None:
        """Before callers' keys are let in; what a backend is needed for is asked later."""
        if problem := self.test.hole(listen):
            raise ConfigError(f"the gateway would not be safe: {problem}", self._hint())

    def _roll_back(self, entry: Entry, before: dict[str, str], drained: Collection[str], mark: str) -> None:
        """The files of before, and the keys that were valid and still are. When even that fails, everything ends."""
        assert entry.process is not None  # noqa: S101
        try:
            now = place.read(self.folder, before)
            place.write(self.folder, {name: text for name, text in before.items() if now.get(name) != text})
            base = f"http://{entry.detail['listen']}"
            in_force = proof.generation(base, self.policy.probe) == mark
            bad = self._runner.workers(entry.process) if in_force else []
            self._runner.reread(entry.process)

            def turned() -> bool:
                procs.reap()
                return all(host.retired(worker) for worker in bad) and proof.refuses(base, self.policy.probe)

            if not procs.wait_until(turned, TURNOVER):
                raise ExposerError("the gateway does not answer")
            place.fill(self.folder, drained, drained, self._passing)
        except (ExposerError, OSError):
            self.stop(entry)

    def _choose_address(self) -> str:
        """The one that was asked for; else the last one, so that a tunnel still finds us; else any."""
        if self._port:
            return front.asked_address(self._port)
        return front.choose_address(self.folder, "", "listen")

    def _whole(self, entry: Entry) -> bool:
        return not place.differing(self.folder, entry.detail.get("rendered") or {})

    def _entry(self, process: ProcessId, listen: str, texts: Mapping[str, str]) -> Entry:
        detail = {"listen": listen, "engine": self._runner.engine, "shape": self.shape, "site": self.digest}
        if self.policy.front and (secure := front.secure_address(self.folder)):
            detail["secure"] = secure
        if self.policy.doors:
            detail[SECOND] = texts.get(SECOND, "")
        return Entry(self.role, process, digest=self.digest, detail={**detail, "rendered": place.digests(texts)})

    def _masked(self, message: str) -> str:
        """nginx may quote what it stumbles over."""
        secret = self.policy.upstream_auth[1].reveal() if self.policy.upstream_auth else ""
        return message.replace(secret, "…") if secret else message

    def _hint(self) -> str:
        return f"look at your own templates in {self._templates}" if self._templates else "please report this"
