"""Pinning a host key, in a file of ours or of the user's."""

import subprocess
from pathlib import Path

import pytest

from exposer.tunnels.setup_ssh import ChangedKeyError, HostKey, authorized_line, pin
from tests.support.sshd import AVAILABLE, keygen

pytestmark = [pytest.mark.ssh, pytest.mark.skipif(not AVAILABLE, reason="needs OpenSSH")]


def host_key(folder: Path, name: str, host: str = "[127.0.0.1]:2222") -> HostKey:
    kind, key = Path(f"{keygen(folder / name)}.pub").read_text().split()[:2]
    return HostKey(f"{host} {kind} {key}", kind, "SHA256:x")


def test_what_else_is_in_the_file_stays_as_it_is(tmp_path: Path) -> None:
    old, new = host_key(tmp_path, "old"), host_key(tmp_path, "new")
    path = tmp_path / "known_hosts"
    rest = ["# my servers", "# my servers", "other.example ssh-ed25519 AAAA", "@revoked * ssh-ed25519 BBBB"]
    path.write_text("\n".join([*rest[:2], old.line, *rest[2:]]) + "\n")
    assert not pin(path, [old])
    with pytest.raises(ChangedKeyError, match="ALARM"):
        pin(path, [new])
    assert pin(path, [new], replace=True)
    assert path.read_text().splitlines() == [*rest, new.line]


def test_a_hashed_name_is_recognised(tmp_path: Path) -> None:
    old, new = host_key(tmp_path, "old"), host_key(tmp_path, "new")
    path = tmp_path / "known_hosts"
    path.write_text(f"{old.line}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    assert "127.0.0.1" not in path.read_text()
    with pytest.raises(ChangedKeyError):
        pin(path, [new])
    assert pin(path, [new], replace=True)
    assert path.read_text() == f"{new.line}\n"


def test_the_line_for_the_server_allows_one_forward_and_nothing_else() -> None:
    line = authorized_line(18080, "ssh-ed25519 AAAA exposer")
    assert line == (
        'restrict,port-forwarding,permitlisten="127.0.0.1:18080",permitopen="127.0.0.1:1",command="/bin/false" '
        "ssh-ed25519 AAAA exposer"
    )
