"""A tunnel through Cloudflare: a quick one with a name of the moment, or a named one of the user's own."""

import json
import re
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from exposer import files, ports, procs, wire
from exposer.config.model import Tunnel
from exposer.errors import MissingError, TimeoutExceededError
from exposer.procs import Entry
from exposer.state.model import Look, Record, Tell
from exposer.tunnels.cloudflared_log import OPTIONAL, explain, read_line, refused, unknown_flag
from exposer.tunnels.cloudflared_named import HOSTNAME, Named, config_text, named, plain_hostname
from exposer.tunnels.fact import Fault, TunnelError
from exposer.tunnels.program import PATIENCE, Program, find_program, is_downloader, lines_of, port_of

INSTALL = (
    "fetch it with `exposer tunnel install cloudflared`; Debian or Ubuntu: add Cloudflare's package repository, then "
    "`apt install cloudflared`; macOS: `brew install cloudflared`; by hand: download it and name it in tunnel.binary"
)
_FAILS = re.compile(r"^cloudflared_tunnel_tunnel_register_fail\S* ([0-9.e+]+)$", re.MULTILINE)
_SUCCESSES = re.compile(r"^cloudflared_tunnel_tunnel_register_success\S* ([0-9.e+]+)$", re.MULTILINE)


def argv(
    binary: str,
    tunnel: Tunnel,
    listen: str,
    *,
    config: str,
    metrics: str,
    label: str,
    token_file: str = "",
    credentials: bool = False,
    without: tuple[str, ...] = (),
) -> list[str]:
    """The command. `config` is a file of our own, so that no file of the user's decides what is exposed. For a
    tunnel by token the dashboard decides, otherwise that file where it has rules. A quick tunnel needs a --url all
    the same: without one, also with a --unix-socket, cloudflared asks for no quick tunnel at all.

    `without` names optional flags that this version does not know.
    """
    flags = _flags(tunnel, config, metrics, label)
    known = [word for name, *words in flags if name not in without for word in words]
    origin = ("--url", f"http://{listen}")
    last = ("run", "--token-file", token_file, *origin) if token_file else ("run",) if credentials else origin
    return [binary, "tunnel", *known, *last]


def _flags(tunnel: Tunnel, config: str, metrics: str, label: str) -> tuple[tuple[str, ...], ...]:
    """Each flag by its name, and its words: some versions lack one."""
    return (
        ("config", "--config", config),
        ("no-autoupdate", "--no-autoupdate"),
        ("no-prechecks", "--no-prechecks"),
        ("metrics", "--metrics", metrics),
        ("label", "--label", label),
        ("output", "--output", "json"),
        # Calls in flight are let finish before a stop, by the gateway: here waiting would only delay it.
        ("grace-period", "--grace-period", "0s"),
        ("management-diagnostics", "--management-diagnostics=false"),
        ("protocol", "--protocol", tunnel.protocol or "auto"),
        ("edge-ip-version", "--edge-ip-version", "auto"),
        ("max-edge-addr-retries", "--max-edge-addr-retries", "0"),
        ("retries", "--retries", "0"),
        *((("region", "--region", tunnel.region),) if tunnel.region else ()),
    )


def strays(config: Any, listen: str, door: str = "", alone: bool = False) -> list[str] | None:
    """Where cloudflared sends traffic beside our gateway, by its /config; None when we get none of it."""
    try:
        rules = [
            (str(rule.get("hostname") or "any host"), str(rule["service"])) for rule in config["config"]["ingress"]
        ]
    except (KeyError, TypeError, AttributeError):
        return None
    ours = [*([] if alone else [listen]), *([door, Path(door).name] if door else [])]
    others = [f"{service} (for {host})" for host, service in rules if not _is_ours(service, ours)]
    foreign = [other for other in others if not other.startswith("http_status:")]
    return foreign if foreign or len(others) < len(rules) else None


def _is_ours(service: str, ours: list[str]) -> bool:
    if service.startswith("unix:"):
        return service.removeprefix("unix:") in ours
    try:
        parts = urlsplit(service)
        ports = [port_of(address) for address in ours if address.startswith("127.0.0.1:")]
        same = parts.hostname in ("127.0.0.1", "localhost") and parts.port in ports
    except ValueError:
        return False
    return same and parts.scheme == "http" and parts.path in ("", "/") and parts.username is None


def version_of(binary: str) -> str:
    """Its version. Raises MissingError for a program that is another one, or is not for this machine."""
    try:
        said = procs.run([binary, "--version"], timeout=10.0)
    except (OSError, TimeoutError) as error:
        raise MissingError(f"{binary} does not run: {error}", INSTALL) from error
    match = re.search(r"cloudflared version (\S+)", said.out + said.err)
    if match is None:
        raise MissingError(f"{binary} does not say which cloudflared it is", INSTALL)
    return match.group(1)


class Cloudflared(Program):
    """cloudflared, asked about itself on a metrics port of our choice."""

    provider = "cloudflared"

    # Killed at once over quic, it would leave visitors hanging; asked to, it is gone in a moment or not at all.
    ladder = ((signal.SIGTERM, 1.0), (signal.SIGKILL, 2.0))

    def start(self, record: Record, tell: Tell) -> Entry:
        own = named(self.tunnel, self.resolve)
        binary = find_program(self.tunnel.binary, "cloudflared", "cloudflared", INSTALL, refuse=is_downloader)
        tell(f"connecting {own.hostname} to Cloudflare" if own else "asking Cloudflare for a quick tunnel")
        without: tuple[str, ...] = ()
        while True:
            entry = self._run(binary, own, without, record)
            try:
                return self.with_url(entry, self._wait(entry, own))
            except TunnelError:
                self.stop(entry)
                lines = lines_of(entry, final=True)
                flag = unknown_flag(lines)
                if flag not in OPTIONAL or flag in without:
                    if not any(map(read_line, lines)):  # nothing that cloudflared is known to say
                        version_of(binary)
                    raise
                without = (*without, flag)
            except BaseException:
                self.stop(entry)
                raise

    def look(self, entry: Entry) -> Look:
        if entry.process is None or not entry.process.alive():
            fault = self._explain(entry)
            return Look(False, False, error=fault.text, fatal=fault.fatal, detail={"wait": fault.wait})
        self.trim(entry)
        ready = _ask(entry, "/ready")
        if ready is None:
            return Look(True, False, error="cloudflared does not answer on its metrics port")
        detail = {"connections": ready.get("readyConnections", 0), "reconnects": self._reconnects(entry)}
        url = self._address(entry)
        if stray := self._elsewhere(entry):
            return Look(True, False, url, stray.text, fatal=True, detail=detail)
        if ready.get("status") == 200:
            return Look(True, True, url, detail=detail)
        fault = self._refused(entry) or Fault("cloudflared has no connection to Cloudflare; it goes on trying")
        return Look(True, False, url, fault.text, fault.fatal, detail | {"wait": fault.wait})

    def own_files(self) -> tuple[Path, ...]:
        return tuple(self.runtime / f"cloudflared.{kind}" for kind in ("yml", "token", "json"))

    def _run(self, binary: str, own: Named | None, without: tuple[str, ...], record: Record) -> Entry:
        config, token_file, credentials_file = self.own_files()
        files.swap(str(config), config_text(own, self._service(), str(credentials_file)))
        if own and own.token:
            files.swap(str(token_file), own.token.encode())
        if own and own.credentials:
            files.swap(str(credentials_file), own.credentials.encode())
        metrics = f"127.0.0.1:{ports.free()}"
        command = argv(
            binary,
            self.tunnel,
            self.listen,
            config=str(config),
            metrics=metrics,
            label=f"exposer-{self.name}",
            token_file=str(token_file) if own and own.token else "",
            credentials=bool(own and own.credentials),
            without=without,
        )
        detail = {"metrics": metrics, "label": f"exposer-{self.name}"}
        # A socket's path may have 107 bytes; its own folder as the working folder keeps it short.
        cwd = str(Path(self.door).parent) if self.door else None
        # Nothing of the user's own ~/.cloudflared has a say.
        env = procs.child_environment({"HOME": str(self.runtime)})
        return self.launch(command, str(config), record, detail, env=env, cwd=cwd)

    def _service(self) -> str:
        """Where the rule of a config file of ours leads."""
        return f"unix:{Path(self.door).name}" if self.door else f"http://{self.listen}"

    def _wait(self, entry: Entry, own: Named | None) -> str:
        """The public URL, once cloudflared says that it is registered with Cloudflare's edge."""
        process, url = entry.process, ""
        assert process is not None  # noqa: S101

        def settled() -> bool:
            nonlocal url
            self.trim(entry)
            if not process.alive() or refused(lines_of(entry)):
                return True
            url = self._address(entry) if (_ask(entry, "/ready") or {}).get("status") == 200 else ""
            return bool(url)

        procs.wait_until(settled, PATIENCE, every=0.05)
        if url:
            if fault := self._elsewhere(entry):
                raise fault.error()
            return url
        if not process.alive() or refused(lines_of(entry)):
            raise self._explain(entry, own).error()
        if fault := self._refused(entry):
            raise fault.error()
        fault = self._explain(entry, own)
        raise TimeoutExceededError(f"cloudflared was not connected within {PATIENCE:g} s. {fault.text}", fault.hint)

    def _explain(self, entry: Entry, own: Named | None = None) -> Fault:
        return explain(lines_of(entry, final=True), self._is_named, *(own.secrets if own else ()))

    def _refused(self, entry: Entry) -> Fault | None:
        """A refusal: over http2 the log tells it, over quic only a counter."""
        if refused(lines_of(entry)):
            return self._explain(entry)
        metrics = _text(entry, "/metrics")
        if _count(_FAILS, metrics) and not _count(_SUCCESSES, metrics):
            return Fault(
                "Cloudflare refuses to register the tunnel, and over quic it does not tell why",
                'set tunnel.protocol = "http2" to see the reason; most often the token is no longer valid',
                wait=60.0,
            )
        return None

    def _elsewhere(self, entry: Entry) -> Fault | None:
        config = _ask(entry, "/config")
        found = [] if config is None else strays(config, self.listen, self.door, self.alone)
        if found == []:
            return None
        places = "to no service of ours" if found is None else f"to {', '.join(found)}"
        return Fault(
            f"the configuration at Cloudflare sends traffic elsewhere: {places}",
            f"in the Cloudflare dashboard let every public hostname of this tunnel lead to {self._origin()}, "
            "and remove the others",
            fatal=True,
        )

    def _origin(self) -> str:
        """What the dashboard should say. Only by the socket the caller's address is certain."""
        if self.alone:
            return f"unix:{self.door}, because limits.allow_from needs the caller's address"
        return f"http://{self.listen} (gateway.port keeps that port the same)" + (
            f", or unix:{self.door}, by which the log shows the callers' addresses" if self.door else ""
        )

    def _reconnects(self, entry: Entry) -> int:
        first = 4 if self._is_named else 1
        return max(0, int(_count(_SUCCESSES, _text(entry, "/metrics"))) - first)

    def _address(self, entry: Entry) -> str:
        if self._is_named:
            return f"https://{plain_hostname(self.tunnel.hostname)}"
        hostname = str((_ask(entry, "/quicktunnel") or {}).get("hostname", "")).lower()
        return f"https://{hostname}" if HOSTNAME.fullmatch(hostname) else ""

    @property
    def _is_named(self) -> bool:
        return self.tunnel.token is not None or self.tunnel.credentials is not None


def _text(entry: Entry, path: str) -> str:
    if "metrics" not in entry.detail:
        return ""
    try:
        answer = wire.request(f"http://{entry.detail['metrics']}", path, timeout=1.5, limit=1024 * 1024)
    except wire.NoAnswerError:
        return ""
    return answer.body.decode(errors="replace")


def _ask(entry: Entry, path: str) -> dict[str, Any] | None:
    """What the metrics server says in JSON; None when it says nothing of the kind."""
    try:
        data = json.loads(_text(entry, path))
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _count(pattern: re.Pattern[str], metrics: str) -> float:
    return sum(float(match) for match in pattern.findall(metrics))
