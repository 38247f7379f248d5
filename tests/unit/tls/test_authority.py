"""The local authority: whom it can vouch for, when it renews, and what it does about torn files."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import verification

from exposer.errors import ExposerError
from exposer.tls.authority import CA_FILE, LEAF_DAYS, RENEW_DAYS, LocalAuthority, trusted

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def certificate(authority: LocalAuthority, now: datetime = NOW) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.certificate(now).certificate.encode())


def verify(ca_file: Path, leaf: x509.Certificate, name: str, now: datetime = NOW) -> None:
    store = verification.Store([x509.load_pem_x509_certificate(ca_file.read_bytes())])
    verification.PolicyBuilder().store(store).time(now).build_server_verifier(x509.DNSName(name)).verify(leaf, [])


def test_its_certificate_is_good_for_this_machines_names_and_its_keys_are_private(tmp_path: Path) -> None:
    authority = LocalAuthority(tmp_path, "x")
    leaf = certificate(authority)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    verify(tmp_path / CA_FILE, leaf, "localhost")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()} == {0o600}
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700


def test_the_authority_itself_is_bound_to_loopback_names(tmp_path: Path) -> None:
    authority = LocalAuthority(tmp_path, "x")
    authority.certificate(NOW)
    ca = x509.load_pem_x509_certificate(trusted(authority.ca_file).encode())
    bound = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert bound.critical
    assert bound.value.permitted_subtrees is not None
    assert {str(name.value) for name in bound.value.permitted_subtrees} == {"localhost", "127.0.0.0/8", "::1/128"}
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_it_stays_the_same_over_restarts_and_is_renewed_in_time_under_the_same_authority(tmp_path: Path) -> None:
    first = certificate(LocalAuthority(tmp_path, "x"))
    authority = LocalAuthority(tmp_path, "x")
    assert certificate(authority) == first
    late = NOW + timedelta(days=LEAF_DAYS - RENEW_DAYS - 1)
    assert certificate(authority, late) == first
    due = NOW + timedelta(days=LEAF_DAYS - RENEW_DAYS)
    second = certificate(authority, due)
    assert second != first
    assert second.not_valid_after_utc > first.not_valid_after_utc
    verify(tmp_path / CA_FILE, second, "localhost", due)
    ca = (tmp_path / CA_FILE).read_bytes()
    assert certificate(LocalAuthority(tmp_path, "x"), due) == second
    assert (tmp_path / CA_FILE).read_bytes() == ca


@pytest.mark.parametrize("name", ["ca.pem", "ca.key", "leaf.pem", "leaf.key"])
@pytest.mark.parametrize("torn", [b"", b"-----BEGIN CERTIFICATE-----\nMIIB"])
def test_a_torn_or_foreign_file_is_replaced_by_a_pair_that_fits(tmp_path: Path, name: str, torn: bytes) -> None:
    certificate(LocalAuthority(tmp_path, "x"))
    (tmp_path / "tls" / name).write_bytes(torn)
    leaf = certificate(LocalAuthority(tmp_path, "x"))
    verify(tmp_path / CA_FILE, leaf, "localhost")


def test_a_key_that_belongs_to_another_certificate_is_not_used(tmp_path: Path) -> None:
    for name in ("a", "b"):
        certificate(LocalAuthority(tmp_path / name, name))
    (tmp_path / "a" / "tls" / "leaf.key").write_bytes((tmp_path / "b" / "tls" / "leaf.key").read_bytes())
    pair = LocalAuthority(tmp_path / "a", "a").certificate(NOW)
    assert pair.key.reveal().encode() != (tmp_path / "b" / "tls" / "leaf.key").read_bytes()


def test_an_authority_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExposerError, match="cannot be read"):
        trusted(tmp_path / "none.pem")
