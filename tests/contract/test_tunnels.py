"""What every tunnel must do, said once and asked of each provider, stand-in or real."""

import base64
import dataclasses
import hashlib
import http.server
import json
import os
import shutil
import signal
import socket
import socketserver
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from exposer import procs, wire
from exposer.config.model import SecretRef, Tunnel
from exposer.errors import ExposerError, MissingError
from exposer.procs import Entry, Ledger, ProcessId, started_at
from exposer.secret import Secret
from exposer.state.model import Look
from exposer.tunnels import make
from exposer.tunnels.cloudflared import Cloudflared
from exposer.tunnels.local import Local
from exposer.tunnels.ngrok import Ngrok
from exposer.tunnels.ssh import Ssh
from tests.support import fake_cloudflared, fake_ngrok, fake_ssh_service
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.sshd import AVAILABLE, Sshd

NGROK_TOKEN = "2abcStandInTokenThatIsSecret_7QyV9wN3"
CLOUDFLARE_TOKEN = base64.b64encode(
    json.dumps({"a": "account-of-tests", "t": str(uuid.UUID(int=7)), "s": "c2VjcmV0LW9mLXRlc3Rz"}).encode()
).decode()
CREDENTIALS = json.dumps(
    {"AccountTag": "account-of-tests", "TunnelSecret": "c2VjcmV0LW9mLWEtZmlsZQ==", "TunnelID": str(uuid.UUID(int=8))}
)
SECRETS = {"NGROK": NGROK_TOKEN, "CLOUDFLARE": CLOUDFLARE_TOKEN, "CREDENTIALS": "c2VjcmV0LW9mLWEtZmlsZQ=="}
BLOB = os.urandom(1024) * (10 * 1024)

Part = Cloudflared | Local | Ngrok | Ssh


class Origin(http.server.BaseHTTPRequestHandler):
    """The gateway's place is taken by this."""

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        body = BLOB if self.path == "/blob" else f"origin says {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class OriginOnSocket(socketserver.ThreadingUnixStreamServer):
    """The same behind the gateway's unix socket."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Origin)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class Scene:
    """One provider, set up so that it can be asked."""

    def __init__(self, folder: Path, listen: str, tunnel: Tunnel, outside: Callable[[str], str]) -> None:
        self.runtime, self.state = folder / "run", folder / "state"
        for path in (self.runtime, self.state):
            path.mkdir(mode=0o700, exist_ok=True)
        self.listen = listen
        self.tunnel = tunnel
        self.outside = outside
        self.is_over: Callable[[], bool] = lambda: True  # for the far side
        self.ledger = Ledger(str(self.runtime / "ledger"))
        self.entries: list[Entry] = []

    def part(self, **changes: object) -> Part:
        """A new part, as after a restart of the supervisor."""
        tunnel = dataclasses.replace(self.tunnel, **changes)
        return make(tunnel, "tests", self.listen, str(self.runtime), str(self.state), resolve)

    def record(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.ledger.append(entry)

    def start(self, part: Part | None = None) -> Entry:
        return (part or self.part()).start(self.record, lambda text: None)

    def visit(self, entry: Entry, path: str = "/hello") -> bytes:
        base = self.outside(str(entry.detail["url"]))
        return wire.request(base, path, timeout=40, limit=20_000_000).body

    def close(self) -> None:
        for entry in self.entries:
            self.part().stop(entry)


def resolve(ref: SecretRef) -> Secret:
    known = {**SECRETS, "CREDENTIALS": CREDENTIALS}
    return Secret(known.get(ref.name) or os.environ[ref.name])


@pytest.fixture
def listen() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def open_scene(tmp_path: Path, listen: str) -> Iterator[Callable[..., Scene]]:
    opened: list[Scene] = []

    def opener(tunnel: Tunnel, outside: Callable[[str], str] = str) -> Scene:
        opened.append(Scene(tmp_path, listen, tunnel, outside))
        return opened[-1]

    yield opener
    for scene in opened:
        scene.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    if not AVAILABLE:
        pytest.skip("needs OpenSSH's client and server")
    folder = tmp_path / "sshd"
    folder.mkdir(mode=0o700)
    with Sshd(folder) as running:
        yield running


def ssh_tunnel(server: Sshd) -> Tunnel:
    return Tunnel(
        provider="ssh",
        host="127.0.0.1",
        user=server.user,
        port=server.port,
        identity=str(server.identity),
        known_hosts=str(server.known_hosts),
        remote_port=server.remote_port,
        url="https://app.example.org",
    )


def far_side(server: Sshd) -> Callable[[str], str]:
    return lambda url: f"http://127.0.0.1:{server.remote_port}"


def quick_tunnel(tmp_path: Path, **knobs: object) -> tuple[Tunnel, Path]:
    binary = fake_cloudflared.install(tmp_path, **knobs)
    return Tunnel(provider="cloudflared", binary=str(binary)), binary


def named_tunnel(tmp_path: Path, **knobs: object) -> tuple[Tunnel, Path]:
    binary = fake_cloudflared.install(tmp_path, **knobs)
    token = SecretRef("env", "CLOUDFLARE")
    return Tunnel("cloudflared", binary=str(binary), token=token, hostname="api.example.org"), binary


def filed_tunnel(tmp_path: Path, **knobs: object) -> tuple[Tunnel, Path]:
    binary = fake_cloudflared.install(tmp_path, **knobs)
    credentials = SecretRef("env", "CREDENTIALS")
    return Tunnel("cloudflared", binary=str(binary), credentials=credentials, hostname="api.example.org"), binary


def ngrok_tunnel(tmp_path: Path, **knobs: object) -> tuple[Tunnel, Path]:
    binary = fake_ngrok.install(tmp_path, **knobs)
    return Tunnel("ngrok", binary=str(binary), token=SecretRef("env", "NGROK")), binary


def real_or_skip(program: str) -> None:
    if os.environ.get("EXPOSER_TEST_REAL_TUNNELS") != "1":
        pytest.skip("goes out to the internet: only with EXPOSER_TEST_REAL_TUNNELS=1")
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on PATH")


KINDS = (
    "local",
    pytest.param("ssh", marks=pytest.mark.ssh),
    "cloudflared stand-in, quick",
    "cloudflared stand-in, named",
    "cloudflared stand-in, by credentials",
    "ngrok stand-in",
    pytest.param("cloudflared", marks=pytest.mark.slow),
    pytest.param("ngrok", marks=pytest.mark.slow),
)


@pytest.fixture(params=KINDS)
def scene(request: pytest.FixtureRequest, tmp_path: Path, open_scene: Callable[..., Scene]) -> Scene:
    match request.param:
        case "local":
            return open_scene(Tunnel("local"))
        case "ssh":
            server = request.getfixturevalue("server")
            scene = open_scene(ssh_tunnel(server), far_side(server))
            scene.is_over = lambda: not server.sessions()
            return scene
        case "cloudflared stand-in, quick":
            tunnel, binary = quick_tunnel(tmp_path)
            return open_scene(tunnel, lambda url: fake_cloudflared.public(binary))
        case "cloudflared stand-in, named":
            tunnel, binary = named_tunnel(tmp_path)
            return open_scene(tunnel, lambda url: fake_cloudflared.public(binary))
        case "cloudflared stand-in, by credentials":
            tunnel, binary = filed_tunnel(tmp_path)
            return open_scene(tunnel, lambda url: fake_cloudflared.public(binary))
        case "ngrok stand-in":
            tunnel, binary = ngrok_tunnel(tmp_path)
            return open_scene(tunnel, lambda url: fake_ngrok.public(binary))
        case "cloudflared":
            real_or_skip("cloudflared")
            return open_scene(Tunnel("cloudflared"))
        case _:
            real_or_skip("ngrok")
            if "NGROK_AUTHTOKEN" not in os.environ:
                pytest.skip("NGROK_AUTHTOKEN is not set")
            return open_scene(Tunnel("ngrok", token=SecretRef("env", "NGROK_AUTHTOKEN")))


def group_of(process: ProcessId) -> list[Path]:
    """The /proc folders of everything in the process's group."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and os.getpgid(int(path.name)) == process.pid and state_of(path) != "Z":
                found.append(path)
        except OSError:
            continue
    return found


def state_of(path: Path) -> str:
    return (path / "stat").read_text().rpartition(")")[2].split()[0]


def has_ipv6_loopback() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def has_process(entry: Entry) -> ProcessId:
    if entry.process is None:
        pytest.skip("this provider has no process")
    return entry.process


class TestEveryTunnel:
    def test_it_brings_up_an_address_and_says_that_it_is_well(self, scene: Scene) -> None:
        entry = scene.start()
        look = scene.part().look(entry)
        assert (look.alive, look.healthy, look.error, look.fatal) == (True, True, "", False)
        assert look.url == entry.detail["url"]
        assert look.url.startswith(("https://", f"http://{scene.listen}"))

    def test_real_requests_pass_through(self, scene: Scene) -> None:
        entry = scene.start()
        assert scene.visit(entry, "/one") == b"origin says /one"
        assert scene.visit(entry, "/two?q=%2F") == b"origin says /two?q=%2F"

    def test_it_is_on_record_before_it_begins(self, scene: Scene) -> None:
        def refuse(entry: Entry) -> None:
            scene.entries.append(entry)
            raise OSError("the disk is full")

        with pytest.raises(OSError, match="disk is full"):
            scene.part().start(refuse, lambda text: None)
        assert [entry.role for entry in scene.entries] == ["tunnel"]
        if scene.entries[0].process is not None:
            assert group_of(scene.entries[0].process) == []

    def test_one_whose_process_is_killed_is_not_alive_and_can_be_started_again(self, scene: Scene) -> None:
        entry = scene.start()
        process = has_process(entry)
        process.signal_group(signal.SIGKILL)
        eventually(lambda: not scene.part().look(entry).alive)
        assert scene.part().look(entry).error
        eventually(scene.is_over)  # else the far side still holds the port
        again = scene.start()
        assert again.process != process
        assert scene.visit(again) == b"origin says /hello"

    def test_one_that_is_frozen_is_there_but_not_well_and_can_be_stopped(self, scene: Scene) -> None:
        entry = scene.start()
        process = has_process(entry)
        process.signal(signal.SIGSTOP)
        look = eventually(lambda: (seen := scene.part().look(entry)).healthy is False and seen)
        assert isinstance(look, Look)
        assert (look.alive, look.fatal) == (True, False)
        scene.part().stop(entry)
        assert not process.alive()

    def test_stopping_leaves_no_process_and_no_secret_behind(self, scene: Scene) -> None:
        entry = scene.start()
        scene.part().stop(entry)
        if entry.process is not None:
            assert not entry.process.alive()
            assert eventually(lambda: group_of(entry.process) == [])  # type: ignore[arg-type]
        left = [path for path in scene.runtime.rglob("*") if path.is_file()]
        assert [path for path in left if any(s in path.read_text() for s in SECRETS.values())] == []

    def test_stopping_twice_is_fine(self, scene: Scene) -> None:
        entry = scene.start()
        scene.part().stop(entry)
        scene.part().stop(entry)
        assert entry.process is None or not entry.process.alive()

    def test_stopping_one_of_an_earlier_boot_is_fine(self, scene: Scene) -> None:
        entry = scene.start()
        process = has_process(entry)
        scene.part().stop(Entry("tunnel", ProcessId(process.pid, process.started, "another boot")))
        assert process.alive()

    def test_after_a_restart_of_the_supervisor_it_is_found_again(self, scene: Scene) -> None:
        entry = scene.start()
        adopted = scene.part().adopt(scene.ledger.entries())
        assert adopted is not None
        assert adopted.process == entry.process
        assert adopted.detail["url"] == entry.detail["url"]
        look = scene.part().look(adopted)
        assert (look.alive, look.healthy, look.url) == (True, True, entry.detail["url"])

    def test_one_with_another_wish_is_not_adopted(self, scene: Scene) -> None:
        scene.start()
        assert scene.part(region="elsewhere").adopt(scene.ledger.entries()) is None

    def test_a_dead_one_is_not_adopted(self, scene: Scene) -> None:
        entry = scene.start()
        has_process(entry).signal_group(signal.SIGKILL)
        eventually(lambda: not entry.process.alive())  # type: ignore[union-attr]
        assert scene.part().adopt(scene.ledger.entries()) is None

    def test_another_program_under_its_number_is_not_adopted(self, scene: Scene) -> None:
        entry = scene.start()
        has_process(entry)
        me = ProcessId.of(os.getpid())
        stranger = Entry("tunnel", me, digest=entry.digest, detail=entry.detail)
        assert scene.part().adopt([stranger]) is None

    def test_secrets_are_nowhere_to_be_seen(self, scene: Scene) -> None:
        entry = scene.start()
        scene.visit(entry)
        shown = Path(scene.ledger.path).read_bytes()
        if entry.process is not None:
            folders = group_of(entry.process)
            assert folders
            shown += b"".join((path / name).read_bytes() for path in folders for name in ("cmdline", "environ"))
            shown += Path(entry.detail["log"]).read_bytes()
        for secret in SECRETS.values():
            assert secret.encode() not in shown

    def test_its_files_are_for_nobody_else(self, scene: Scene) -> None:
        scene.start()
        for path in scene.runtime.rglob("*"):
            with suppress(FileNotFoundError):  # written anew just then
                assert not path.is_file() or not path.stat().st_mode & 0o077, path

    def test_it_outlives_the_one_who_started_it(self, scene: Scene) -> None:
        process = has_process(scene.start())
        assert os.getsid(process.pid) == process.pid
        assert Path(f"/proc/{process.pid}/fd/0").readlink() == Path("/dev/null")
        output = {Path(f"/proc/{process.pid}/fd/{fd}").readlink() for fd in (1, 2)}
        assert output <= {scene.runtime / "tunnel.log", Path("/dev/null")}


def failure(scene: Scene, **changes: object) -> ExposerError:
    """The error that a start ends with; nothing may be left running."""
    with pytest.raises(ExposerError) as caught:
        scene.start(scene.part(**changes))
    for entry in scene.entries:
        process = entry.process
        assert process is None or procs.wait_until(lambda process=process: group_of(process) == [], 60)
    return caught.value


def fatal(error: ExposerError) -> bool:
    return bool(getattr(error, "fatal", False))


@pytest.mark.ssh
class TestSsh:
    def test_a_changed_host_key_is_an_alarm_and_not_tried_again(
        self, server: Sshd, open_scene: Callable[..., Scene]
    ) -> None:
        server.stop()
        server.new_host_key()
        server.start()
        error = failure(open_scene(ssh_tunnel(server)))
        assert "ALARM" in error.message
        assert fatal(error)

    def test_a_key_that_is_not_pinned_is_asked_for(self, server: Sshd, open_scene: Callable[..., Scene]) -> None:
        error = failure(open_scene(ssh_tunnel(server)), known_hosts="")
        assert isinstance(error, MissingError)
        assert f"ssh-keyscan -p {server.port} 127.0.0.1" in error.hint
        server.known_hosts.write_text("")
        error = failure(open_scene(ssh_tunnel(server)))
        assert "ssh-keyscan" in error.hint
        assert fatal(error)

    def test_the_state_folder_may_hold_the_pinned_key(self, server: Sshd, open_scene: Callable[..., Scene]) -> None:
        scene = open_scene(ssh_tunnel(server), far_side(server))
        shutil.copy(server.known_hosts, scene.state / "known_hosts")
        entry = scene.start(scene.part(known_hosts=""))
        assert scene.visit(entry) == b"origin says /hello"

    def test_a_taken_remote_port_is_worth_another_try(self, server: Sshd, open_scene: Callable[..., Scene]) -> None:
        with http.server.HTTPServer(("127.0.0.1", server.remote_port), Origin):
            error = failure(open_scene(ssh_tunnel(server)))
        assert str(server.remote_port) in error.message
        assert "ClientAliveInterval" in error.hint
        assert not fatal(error)
        assert getattr(error, "retry_after", 0) > 0

    def test_a_port_that_the_key_may_not_use_is_refused(self, server: Sshd, open_scene: Callable[..., Scene]) -> None:
        error = failure(open_scene(ssh_tunnel(server)), remote_port=free_port())
        assert "permitlisten" in error.hint

    def test_a_wrong_key_is_fatal(self, server: Sshd, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        from tests.support.sshd import keygen

        error = failure(open_scene(ssh_tunnel(server)), identity=str(keygen(tmp_path / "other")))
        assert "authorized_keys" in error.hint
        assert fatal(error)

    def test_a_key_file_that_others_can_read_is_not_used(self, server: Sshd, open_scene: Callable[..., Scene]) -> None:
        server.identity.chmod(0o644)
        error = failure(open_scene(ssh_tunnel(server)))
        assert f"chmod 600 {server.identity}" in error.hint
        assert fatal(error)

    def test_a_server_that_is_down_is_tried_again(self, server: Sshd, open_scene: Callable[..., Scene]) -> None:
        server.stop()
        error = failure(open_scene(ssh_tunnel(server)))
        assert "Connection refused" in error.message
        assert not fatal(error)

    def test_it_carries_ten_megabytes_unchanged(self, server: Sshd, open_scene: Callable[..., Scene]) -> None:
        scene = open_scene(ssh_tunnel(server), far_side(server))
        carried = scene.visit(scene.start(), "/blob")
        assert hashlib.sha256(carried).hexdigest() == hashlib.sha256(BLOB).hexdigest()

    def test_it_reaches_a_server_that_speaks_ipv6_only(self, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        if not has_ipv6_loopback():
            pytest.skip("this machine has no ::1")
        folder = tmp_path / "sshd6"
        folder.mkdir(mode=0o700)
        with Sshd(folder, address="::1") as six:
            scene = open_scene(dataclasses.replace(ssh_tunnel(six), host="::1"), far_side(six))
            assert scene.visit(scene.start()) == b"origin says /hello"

    def test_a_loss_of_the_connection_ends_it_with_a_reason(
        self, server: Sshd, open_scene: Callable[..., Scene]
    ) -> None:
        scene = open_scene(ssh_tunnel(server), far_side(server))
        entry = scene.start()
        for pid in server.sessions():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not scene.part().look(entry).alive)
        look = scene.part().look(entry)
        assert "no connection to" in look.error, (scene.runtime / "tunnel.log").read_text()
        assert not look.fatal


@pytest.mark.ssh
@pytest.mark.parametrize("service", ["localhost.run", "pinggy", "serveo"])
class TestSshServices:
    """Real ssh and sshd; only what the service prints is made up, after its own words."""

    @pytest.fixture
    def far(self, service: str, tmp_path: Path) -> Iterator[Sshd]:
        if not AVAILABLE:
            pytest.skip("needs OpenSSH's client and server")
        folder = tmp_path / "sshd"
        folder.mkdir(mode=0o700)
        with Sshd(folder, command=fake_ssh_service.install(folder, service)) as running:
            yield running

    def scene(self, opener: Callable[..., Scene], far: Sshd, service: str) -> Scene:
        tunnel = dataclasses.replace(ssh_tunnel(far), service=service, url="")
        return opener(tunnel, far_side(far))

    def test_the_address_is_the_one_that_is_printed(
        self, service: str, far: Sshd, open_scene: Callable[..., Scene]
    ) -> None:
        scene = self.scene(open_scene, far, service)
        entry = scene.start()
        assert "abc123" in entry.detail["url"]
        assert entry.detail["url"].endswith((".lhr.life", ".pinggy.link", ".serveo.net"))
        assert scene.visit(entry) == b"origin says /hello"
        adopted = scene.part().adopt(scene.ledger.entries())
        assert adopted is not None
        assert adopted.detail["url"] == entry.detail["url"]

    def test_a_new_address_is_noticed_while_it_runs(
        self, service: str, far: Sshd, open_scene: Callable[..., Scene]
    ) -> None:
        scene = self.scene(open_scene, far, service)
        entry = scene.start()
        fake_ssh_service.say(far.folder, service, "def456")
        eventually(lambda: "def456" in scene.part().look(entry).url)
        assert scene.part().look(entry).healthy
        with Path(entry.detail["log"]).open("ab") as log:  # one line for each call that finds no gateway
            log.write(b"connect_to 127.0.0.1 port 8000: failed.\n" * 2000)
        assert "def456" in scene.part().look(entry).url

    def test_its_host_key_must_be_pinned_too(self, service: str, far: Sshd, open_scene: Callable[..., Scene]) -> None:
        scene = self.scene(open_scene, far, service)
        far.known_hosts.unlink()
        assert "tunnel setup ssh" in failure(scene).hint
        far.pin()
        far.stop()
        far.new_host_key()
        far.start()
        error = failure(scene)
        assert "ALARM" in error.message
        assert fatal(error)


class TestCloudflared:
    def scene(self, opener: Callable[..., Scene], made: tuple[Tunnel, Path]) -> tuple[Scene, Path]:
        tunnel, binary = made
        return opener(tunnel, lambda url: fake_cloudflared.public(binary)), binary

    def test_a_lost_edge_is_seen_and_so_is_its_return_with_the_same_address(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, binary = self.scene(open_scene, quick_tunnel(tmp_path))
        entry = scene.start()
        fake_cloudflared.turn(binary, drop=True)
        lost = eventually(lambda: (look := scene.part().look(entry)).healthy is False and look)
        assert isinstance(lost, Look)
        assert lost.alive
        assert "no connection to Cloudflare" in lost.error
        fake_cloudflared.turn(binary)
        back = eventually(lambda: (look := scene.part().look(entry)).healthy and look)
        assert isinstance(back, Look)
        assert back.detail["reconnects"] == 1
        assert back.url == entry.detail["url"]

    def test_too_many_quick_tunnels_mean_a_long_wait(self, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        error = failure(self.scene(open_scene, quick_tunnel(tmp_path, quick="limited"))[0])
        assert "too many requests" in error.message
        assert getattr(error, "retry_after", 0) >= 300
        assert not fatal(error)

    def test_a_quick_service_without_an_answer_is_told_in_its_own_words(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        error = failure(self.scene(open_scene, quick_tunnel(tmp_path, quick="broken"))[0])
        assert "invalid UUID length" in error.message

    def test_a_refused_token_is_fatal(self, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        made = named_tunnel(tmp_path, refuse="Unauthorized: Invalid tunnel secret")
        error = failure(self.scene(open_scene, made)[0])
        assert "Invalid tunnel secret" in error.message
        assert fatal(error)

    def test_a_dashboard_that_sends_traffic_elsewhere_is_fatal_at_the_start(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        made = named_tunnel(tmp_path, ingress=[{"hostname": "a.example", "service": "http://127.0.0.1:1"}])
        error = failure(self.scene(open_scene, made)[0])
        assert "dashboard" in error.hint
        assert fatal(error)

    def test_a_dashboard_that_sends_traffic_elsewhere_later_on_is_seen(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, binary = self.scene(open_scene, named_tunnel(tmp_path))
        entry = scene.start()
        ours = {
            "hostname": "api.example.org",
            "service": f"http://localhost:{scene.listen.partition(':')[2]}",
        }
        rest = {"service": "http_status:404"}
        fake_cloudflared.turn(binary, ingress=[ours, rest])
        assert scene.part().look(entry).healthy
        fake_cloudflared.turn(binary, ingress=[ours, {"hostname": "b.example", "service": "ssh://localhost:22"}])
        look = scene.part().look(entry)
        assert (look.alive, look.healthy, look.fatal) == (True, False, True)
        assert "ssh://localhost:22 (for b.example)" in look.error

    def test_an_older_version_is_started_without_the_flags_it_lacks(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        made = quick_tunnel(tmp_path, unknown=["no-prechecks", "label"])
        scene, _ = self.scene(open_scene, made)
        assert scene.visit(scene.start()) == b"origin says /hello"

    def test_a_usage_error_is_an_error_although_its_exit_code_is_0(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        error = failure(self.scene(open_scene, quick_tunnel(tmp_path, unknown=["metrics"]))[0])
        assert "-metrics" in error.message
        assert fatal(error)

    def test_a_tunnel_by_credentials_leads_to_the_gateway_alone(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, _ = self.scene(open_scene, filed_tunnel(tmp_path))
        entry = scene.start()
        assert entry.detail["url"] == "https://api.example.org"
        assert scene.visit(entry) == b"origin says /hello"
        config = yaml.safe_load((scene.runtime / "cloudflared.yml").read_text())
        rules = [{"hostname": "api.example.org", "service": f"http://{scene.listen}"}, {"service": "http_status:404"}]
        assert config["ingress"] == rules
        assert (scene.runtime / "cloudflared.json").stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("make_tunnel", [quick_tunnel, filed_tunnel])
    def test_where_the_gateway_has_a_socket_calls_come_by_it(
        self, tmp_path: Path, open_scene: Callable[..., Scene], make_tunnel: Callable[..., tuple[Tunnel, Path]]
    ) -> None:
        tunnel, binary = make_tunnel(tmp_path)
        scene = open_scene(tunnel, lambda url: fake_cloudflared.public(binary))
        door = scene.runtime / "gateway.sock"
        where = (str(scene.runtime), str(scene.state), resolve, str(door))
        with OriginOnSocket(door):
            entry = scene.start(make(tunnel, "tests", "127.0.0.1:9", *where))
            assert scene.visit(entry) == b"origin says /hello"

    @pytest.mark.parametrize("text", ["no json", "[]", '{"AccountTag": "a"}', CREDENTIALS.replace("-", "")[:-4] + '"}'])
    def test_a_credentials_file_of_the_wrong_form_is_refused_and_not_repeated(
        self, text: str, tmp_path: Path, open_scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene, _ = self.scene(open_scene, filed_tunnel(tmp_path))
        monkeypatch.setenv("WRONG", text)
        error = failure(scene, credentials=SecretRef("env", "WRONG"))
        assert fatal(error)
        assert SECRETS["CREDENTIALS"] not in error.message + error.hint

    def test_the_users_own_cloudflared_folder_has_no_say(
        self, tmp_path: Path, open_scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = tmp_path / "home" / ".cloudflared"
        own.mkdir(parents=True)
        (own / "config.yml").write_text("ingress:\n  - service: http://127.0.0.1:1\n")
        monkeypatch.setenv("HOME", str(own.parent))
        monkeypatch.setenv("TUNNEL_NAME", "another")
        scene, _ = self.scene(open_scene, quick_tunnel(tmp_path))
        entry = scene.start()
        assert scene.visit(entry) == b"origin says /hello"
        environ = Path(f"/proc/{has_process(entry).pid}/environ").read_bytes()
        assert f"HOME={scene.runtime}".encode() in environ
        assert b"TUNNEL_NAME" not in environ

    def test_a_tunnel_refused_while_it_is_up_is_asked_for_again_but_seldom(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, binary = self.scene(open_scene, named_tunnel(tmp_path))
        entry = scene.start()
        fake_cloudflared.turn(binary, drop=True)
        eventually(lambda: scene.part().look(entry).healthy is False)
        fake_cloudflared.turn(binary, refuse="Unauthorized: Record for tunnel not found")
        look = eventually(lambda: (seen := scene.part().look(entry)).fatal and seen)
        assert isinstance(look, Look)
        assert "Record for tunnel not found" in look.error
        assert look.detail["wait"] >= 300

    def test_a_web_page_in_place_of_a_quick_tunnel_is_told_as_one(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        error = failure(self.scene(open_scene, quick_tunnel(tmp_path, quick="page"))[0])
        assert "a web page came" in error.message
        assert not fatal(error)

    def test_a_machine_without_a_network_is_told_so_and_tries_again(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        error = failure(self.scene(open_scene, quick_tunnel(tmp_path, quick="offline"))[0])
        assert "cannot be reached" in error.message
        assert "online" in error.hint
        assert not fatal(error)
        assert getattr(error, "retry_after", 0) == 0

    def test_one_that_ignores_sigterm_is_ended_all_the_same(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, _ = self.scene(open_scene, quick_tunnel(tmp_path, ignore_sigterm=True))
        entry = scene.start()
        scene.part().stop(entry)
        assert not has_process(entry).alive()

    def test_a_binary_that_is_not_there_comes_with_a_hint(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        error = failure(open_scene(Tunnel("cloudflared", binary=str(tmp_path / "nowhere"))))
        assert isinstance(error, MissingError)
        assert "apt install cloudflared" in error.hint

    @pytest.mark.parametrize("content", [b"\x7fELF of another machine", b"#!/nowhere/sh\n", b"#!/bin/sh\nexit 0\n"])
    def test_a_program_that_is_not_cloudflared_is_told_as_one_at_the_first_try(
        self, tmp_path: Path, open_scene: Callable[..., Scene], content: bytes
    ) -> None:
        binary = tmp_path / "cloudflared"
        binary.write_bytes(content)
        binary.chmod(0o755)
        error = failure(open_scene(Tunnel("cloudflared", binary=str(binary))))
        assert isinstance(error, MissingError)
        assert str(binary) in error.message
        assert "apt install cloudflared" in error.hint

    def test_a_token_of_the_wrong_form_is_refused_and_not_repeated(
        self, tmp_path: Path, open_scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene, _ = self.scene(open_scene, named_tunnel(tmp_path))
        monkeypatch.setenv("WRONG", "eyJub3QiOiJhIHRva2VuIn0=")
        error = failure(scene, token=SecretRef("env", "WRONG"))
        assert fatal(error)
        assert "eyJub3Q" not in error.message + error.hint
        assert scene.entries == []


class TestNgrok:
    def scene(self, opener: Callable[..., Scene], made: tuple[Tunnel, Path]) -> tuple[Scene, Path]:
        tunnel, binary = made
        return opener(tunnel, lambda url: fake_ngrok.public(binary)), binary

    def agent_of(self, entry: Entry) -> Path:
        """The agent's /proc folder: what is in the helper's group beside the helper."""
        helper = has_process(entry)
        return next(path for path in group_of(helper) if path.name != str(helper.pid))

    def test_the_agent_dies_with_its_helper(self, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        scene, _ = self.scene(open_scene, ngrok_tunnel(tmp_path))
        entry = scene.start()
        agent = self.agent_of(entry)
        has_process(entry).signal(signal.SIGKILL)
        eventually(lambda: started_at(int(agent.name)) is None)

    def test_the_helper_ends_with_its_agent_and_keeps_the_reason(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, _ = self.scene(open_scene, ngrok_tunnel(tmp_path))
        entry = scene.start()
        os.kill(int(self.agent_of(entry).name), signal.SIGKILL)
        eventually(lambda: not has_process(entry).alive())
        assert "code -9" in scene.part().look(entry).error

    def test_a_lost_session_is_seen_and_so_is_its_return(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, binary = self.scene(open_scene, ngrok_tunnel(tmp_path))
        entry = scene.start()
        fake_ngrok.turn(binary, offline=True)
        lost = eventually(lambda: (look := scene.part().look(entry)).healthy is False and look)
        assert isinstance(lost, Look)
        assert lost.alive
        assert not lost.fatal
        fake_ngrok.turn(binary)
        back = eventually(lambda: (look := scene.part().look(entry)).healthy and look)
        assert isinstance(back, Look)
        assert back.detail["reconnects"] == 1

    def test_a_token_revoked_while_it_runs_ends_it_for_good(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, binary = self.scene(open_scene, ngrok_tunnel(tmp_path))
        entry = scene.start()
        fake_ngrok.turn(binary, offline=True, reconnect=107)
        eventually(lambda: not scene.part().look(entry).alive)
        look = scene.part().look(entry)
        assert look.fatal
        assert "revoked" in look.error

    def test_a_stop_from_the_dashboard_is_not_undone(self, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        scene, binary = self.scene(open_scene, ngrok_tunnel(tmp_path))
        entry = scene.start()
        fake_ngrok.turn(binary, stop=True)
        eventually(lambda: not scene.part().look(entry).alive)
        look = scene.part().look(entry)
        assert look.fatal
        assert "dashboard" in look.error

    def test_an_endpoint_that_somebody_else_opened_ends_the_agent(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, binary = self.scene(open_scene, ngrok_tunnel(tmp_path))
        entry = scene.start()
        fake_ngrok.turn(binary, rival="https://rival.ngrok.app")
        look = eventually(lambda: (seen := scene.part().look(entry)).fatal and seen)
        assert "https://rival.ngrok.app to file:///etc" in look.error
        eventually(lambda: not has_process(entry).alive())
        assert "ALARM" in scene.part().look(entry).error
        assert scene.part().look(entry).fatal

    @pytest.mark.parametrize("code", [105, 107])
    def test_a_refused_token_is_fatal_and_never_repeated(
        self, code: int, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, _ = self.scene(open_scene, ngrok_tunnel(tmp_path, auth=code))
        error = failure(scene)
        assert f"ERR_NGROK_{code}" in error.message
        assert fatal(error)
        log = (scene.runtime / "tunnel.log").read_text()
        assert NGROK_TOKEN not in error.message + error.hint + log
        assert f"ERR_NGROK_{code}" in log

    def test_a_name_that_is_online_elsewhere_is_tried_again(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        error = failure(self.scene(open_scene, ngrok_tunnel(tmp_path, open=334))[0])
        assert "already online" in error.message
        assert not fatal(error)
        assert getattr(error, "retry_after", 0) > 0

    def test_an_agent_that_needs_a_moment_gets_it(self, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        scene, _ = self.scene(open_scene, ngrok_tunnel(tmp_path, unready=3))
        assert scene.visit(scene.start()) == b"origin says /hello"

    def test_odd_lines_do_not_stop_the_reading_of_the_log(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, binary = self.scene(open_scene, ngrok_tunnel(tmp_path))
        entry = scene.start()
        for number in range(1200):
            scene.visit(entry, f"/{number}?__class__=x")
        fake_ngrok.turn(binary, offline=True)
        eventually(lambda: scene.part().look(entry).healthy is False)
        assert "203.0.113.9" not in (scene.runtime / "tunnel.log").read_text()

    def test_a_chosen_name_is_asked_for(self, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        scene, _ = self.scene(open_scene, ngrok_tunnel(tmp_path))
        entry = scene.start(scene.part(hostname="mine.ngrok.app"))
        assert entry.detail["url"] == "https://mine.ngrok.app"

    def test_a_traffic_policy_reaches_the_agent(self, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        scene, _ = self.scene(open_scene, ngrok_tunnel(tmp_path))
        policy = tmp_path / "policy.yml"
        policy.write_text("on_http_request:\n  - actions:\n    - type: deny\n")
        part = scene.part(traffic_policy=str(policy))
        entry = scene.start(part)
        state = json.loads((scene.runtime / "ngrok" / "facts.json").read_text())
        listed = json.loads(wire.request(state["api"], "/api/endpoints").body)["endpoints"]
        assert [row["traffic_policy"] for row in listed] == [policy.read_text()]
        policy.write_text("on_http_request:\n  - actions:\n    - type: log\n")
        assert scene.part(traffic_policy=str(policy)).digest != part.digest
        assert part.adopt([entry]) is not None

    def test_an_agent_that_drops_the_traffic_policy_is_ended(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, _ = self.scene(open_scene, ngrok_tunnel(tmp_path, deaf=True))
        policy = tmp_path / "policy.yml"
        policy.write_text("on_http_request: [{actions: [{type: deny}]}]")
        assert "did not take the traffic policy" in failure(scene, traffic_policy=str(policy)).message

    @pytest.mark.parametrize("text", ["", "- a list", "http_request: []", "{"])
    def test_a_traffic_policy_that_is_none_is_told_at_once(
        self, text: str, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, _ = self.scene(open_scene, ngrok_tunnel(tmp_path))
        policy = tmp_path / "policy.yml"
        policy.write_text(text)
        assert "tunnel.traffic_policy" in failure(scene, traffic_policy=str(policy)).message
        assert scene.entries == []

    def test_an_address_that_the_agent_lists_anew_is_the_address(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, binary = self.scene(open_scene, ngrok_tunnel(tmp_path))
        entry = scene.start()
        fake_ngrok.turn(binary, url="https://moved.ngrok-free.app")
        assert scene.part().look(entry).url == "https://moved.ngrok-free.app"

    def test_an_ageing_agent_is_warned_of(self, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        scene, _ = self.scene(open_scene, ngrok_tunnel(tmp_path, version="3.31.0"))
        assert "near the end of its support" in scene.part().look(scene.start()).detail["warning"]

    def test_proxies_of_the_environment_change_nothing(
        self, tmp_path: Path, open_scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        scene, _ = self.scene(open_scene, ngrok_tunnel(tmp_path))
        assert scene.visit(scene.start()) == b"origin says /hello"

    def test_an_agent_that_is_too_old_is_not_started(self, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        error = failure(self.scene(open_scene, ngrok_tunnel(tmp_path, version="2.3.41"))[0])
        assert isinstance(error, MissingError)
        assert "2.3.41" in error.message

    def test_without_a_token_it_tells_where_to_get_one(self, tmp_path: Path, open_scene: Callable[..., Scene]) -> None:
        error = failure(self.scene(open_scene, ngrok_tunnel(tmp_path))[0], token=None)
        assert isinstance(error, MissingError)
        assert "dashboard" in error.hint

    def test_the_command_of_pyngrok_is_not_taken_for_the_agent(
        self, tmp_path: Path, open_scene: Callable[..., Scene]
    ) -> None:
        scene, _ = self.scene(open_scene, ngrok_tunnel(tmp_path))
        script = tmp_path / "bin-ngrok"
        script.write_text("#!/usr/bin/python3\nfrom pyngrok.ngrok import main\nmain()\n")
        script.chmod(0o755)
        assert isinstance(failure(scene, binary=str(script)), MissingError)

    @pytest.mark.slow
    def test_a_silent_agent_is_given_up_and_ended(
        self, tmp_path: Path, open_scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("exposer.tunnels.ngrok.PATIENCE", 3.0)
        error = failure(self.scene(open_scene, ngrok_tunnel(tmp_path, silent=True))[0])
        assert "within 3 s" in error.message
