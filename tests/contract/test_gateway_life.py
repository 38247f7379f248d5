"""How the real gateway begins, is found again and ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from exposer import files
from exposer.errors import ConfigError, ExposerError, MissingError
from exposer.gateway import folder as place
from exposer.gateway.host import find_nginx
from exposer.gateway.nginx import NginxProcess, revoke
from exposer.procs import Entry
from exposer.supervisor.ports import Part, Reloadable
from tests.support.eventually import eventually
from tests.support.gateway import Gate, make_policy, op, process, workers
from tests.support.overlay import overlay

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]


@pytest.fixture
def gate(fresh: Gate) -> Gate:
    return fresh


class TestStart:
    def test_it_is_a_part_that_can_be_reloaded(self, gate: Gate) -> None:
        part: Part = gate.part
        assert isinstance(part, Reloadable)
        assert part.role == "gateway"

    def test_it_is_on_record_before_it_listens_and_healthy_after(self, gate: Gate) -> None:
        seen: list[bool] = []

        def record(entry: Entry) -> None:
            if listen := entry.detail.get("listen"):
                with socket.socket() as probe:
                    port = int(str(listen).rpartition(":")[2])
                    seen.append(probe.connect_ex(("127.0.0.1", port)) != 0)

        gate.entry = gate.part.start(record, gate.told.append)
        assert seen == [True]
        look = gate.part.look(gate.entry)
        assert (look.alive, look.healthy) == (True, True)
        assert gate.entry.digest == gate.part.digest
        assert gate.entry.detail["listen"] == look.detail["listen"]

    def test_it_listens_on_loopback_only(self, gate: Gate) -> None:
        gate.start()
        wanted = f"0100007F:{gate.port:04X}"
        tables = [place for place in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if place.exists()]
        lines = [line for table in tables for line in table.read_text().splitlines()]
        listening = [line.split()[1] for line in lines if line.split()[3:4] == ["0A"]]
        assert [place for place in listening if place.endswith(f":{gate.port:04X}")] == [wanted]

    def test_a_taken_port_is_said_and_nothing_is_left_running(self, gate: Gate) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            gate.part = gate.make(port=port)
            with pytest.raises(ExposerError, match=f"port {port} of 127.0.0.1 cannot be used") as error:
                gate.start()
        assert "gateway.port" in error.value.hint

    def test_a_missing_nginx_is_said_with_how_to_install_it(self, gate: Gate) -> None:
        part = NginxProcess(gate.folder, make_policy(gate.ring, gate.echo.url), binary="nginx-that-is-not-there")
        with pytest.raises(MissingError) as error:
            part.start(gate.entries.append, gate.told.append)
        assert "apt install" in error.value.hint
        assert "brew install" in error.value.hint

    def test_no_stage_is_left_beside_it_and_rehearsals_have_ended(self, gate: Gate) -> None:
        leftover = gate.folder.with_name("gateway.0badcafe.stage")
        files.private_dir(str(leftover))
        gate.start()
        gate.reload(operations=[op("GET", "/other")])
        assert [path.name for path in gate.folder.parent.iterdir()] == ["gateway"]
        for entry in gate.entries:
            assert entry.process is not None
            assert entry.process.alive() == (entry.process == process(gate))

    @pytest.mark.parametrize(
        ("name", "old", "new"),
        [
            ("gate.conf.j2", 'if (!-f "{{ paths.live }}/$key") { return 418; }', ""),
            ("nginx.conf.j2", "location @slow {", "location /v1 { proxy_pass http://backend; }\n location @slow {"),
            ("nginx.conf.j2", "location @slow {", "location = /v1/items { return 200; }\n location @slow {"),
            ("nginx.conf.j2", "deny all;", ""),
        ],
    )
    def test_an_own_template_that_lets_anybody_in_does_not_come_into_force(
        self, gate: Gate, tmp_path: Path, name: str, old: str, new: str
    ) -> None:
        own = overlay(tmp_path, name, old, new)
        gate.part = gate.make(templates=own)
        with pytest.raises(ConfigError, match="without a valid key") as error:
            gate.start()
        assert own in error.value.hint
        assert all(entry.process is None or not entry.process.alive() for entry in gate.entries)
        assert gate.echo.served == 0

    def test_an_own_template_that_nginx_refuses_is_said_with_nginx_own_words(self, gate: Gate, tmp_path: Path) -> None:
        own = overlay(tmp_path, "nginx.conf.j2", "pcre_jit on;", "pcre_jit perhaps;")
        with pytest.raises(ConfigError, match='invalid value "perhaps"'):
            gate.make(templates=own).start(gate.entries.append, gate.told.append)

    def test_a_misspelt_name_in_an_own_template_is_an_error(self, gate: Gate, tmp_path: Path) -> None:
        own = overlay(tmp_path, "maps.conf.j2", "policy.passers", "policy.passengers")
        with pytest.raises(ConfigError, match="passengers"):
            gate.make(templates=own)


class TestEnd:
    def test_after_a_stop_nothing_answers_and_no_key_is_valid(self, gate: Gate) -> None:
        gate.start()
        everyone = [process(gate), *workers(gate)]
        assert gate.entry is not None
        gate.part.stop(gate.entry)
        gate.part.stop(gate.entry)
        assert not any(one.alive() for one in everyone)
        assert place.valid(gate.folder) == frozenset()
        assert not (gate.folder / "nginx.pid").exists()
        look = gate.part.look(gate.entry)
        assert (look.alive, look.healthy) == (False, False)

    def test_workers_whose_master_was_killed_are_ended_too(self, gate: Gate) -> None:
        gate.start()
        orphans = workers(gate)
        process(gate).signal(signal.SIGKILL)
        assert gate.entry is not None
        entry = gate.entry
        eventually(lambda: not gate.part.look(entry).alive)
        gate.part.stop(entry)
        eventually(lambda: not any(one.alive() for one in orphans))

    def test_it_comes_back_on_the_same_port(self, gate: Gate) -> None:
        gate.start()
        port = gate.port
        assert gate.entry is not None
        gate.part.stop(gate.entry)
        gate.start()
        assert gate.port == port
        assert gate.call("/v1/items").status == 200


class TestAdoption:
    def test_a_running_gateway_of_the_same_wish_is_adopted_with_its_port(self, gate: Gate) -> None:
        gate.start()
        again = gate.make()
        adopted = again.adopt(gate.entries)
        assert adopted is not None
        assert adopted.process == process(gate)
        assert gate.call("/v1/items").status == 200
        gate.entry = again.reload(adopted, gate.entries.append, gate.told.append)
        assert gate.call("/v1/items").status == 200

    def test_one_of_another_wish_is_adopted_as_what_it_is_and_can_be_reloaded(self, gate: Gate) -> None:
        gate.start()
        again = gate.make(operations=[op("GET", "/other")])
        adopted = again.adopt(gate.entries)
        assert adopted is not None
        assert adopted.digest == gate.part.digest != again.digest
        gate.entry = again.reload(adopted, gate.entries.append, gate.told.append)
        assert gate.call("/other").status == 200

    def test_one_of_another_shape_is_not(self, gate: Gate) -> None:
        gate.start()
        assert gate.make(port=12345).adopt(gate.entries) is None

    def test_a_reload_cut_short_by_a_crash_is_healed(self, gate: Gate) -> None:
        gate.start()
        place.drain(gate.folder)
        assert gate.call("/v1/items").headers["Connection"] == "close"
        revoke(gate.folder, gate.key_id("bob"))
        assert gate.make().adopt(gate.entries) is not None
        assert gate.call("/v1/items").headers["Connection"] == "keep-alive"
        assert gate.refusal("/v1/items", gate.key("bob")).status == 401

    def test_files_that_were_changed_by_a_reload_cut_short_are_not_trusted(self, gate: Gate) -> None:
        gate.start()
        (gate.folder / "digest").write_text("other")
        assert gate.make().adopt(gate.entries) is None

    def test_shape_changes_with_the_port_and_not_with_the_operations(self, gate: Gate) -> None:
        assert gate.make(operations=[]).shape == gate.part.shape
        assert gate.make(operations=[]).digest != gate.part.digest
        assert gate.make(port=12345).shape != gate.part.shape


def test_the_folder_is_ours_alone(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (tmp_path / "gateway").symlink_to(target)
    with pytest.raises(files.NotPrivateError):
        place.prepare(tmp_path / "gateway", None)


AS_NOBODY = """
import os, sys
from pathlib import Path
from tests.support.gateway import Gate, process, workers
gate = Gate(Path(sys.argv[1])).start()
try:
    print(os.geteuid() != 0, gate.call("/v1/items").status, gate.refusal("/v1/items", {}).status)
    gate.reload(operations=[])
    print(oct(gate.folder.stat().st_mode & 0o777), gate.call("/v1/items").status)
finally:
    gate.close()
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root to become somebody else")
def test_it_works_for_an_ordinary_user() -> None:
    with tempfile.TemporaryDirectory() as root:
        os.chown(root, 65534, 65534)
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", AS_NOBODY, root],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=Path(__file__).parents[2],
        )
    assert done.stdout.split() == ["True", "200", "401", "0o700", "404"], done.stderr
