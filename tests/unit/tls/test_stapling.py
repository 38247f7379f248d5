"""Which certificates nginx can staple an answer to, and by which name servers it finds who gives it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from exposer.tls.stapling import can_be_stapled, resolvers
from tests.support.certificates import Authority, self_signed

HOST = "api.example"


def test_one_that_names_a_responder_and_comes_with_its_issuer_can_be_stapled() -> None:
    assert can_be_stapled(Authority("http://ocsp.example/").pair(HOST).certificate)


def test_without_its_issuer_nobody_can_ask_for_it() -> None:
    assert not can_be_stapled(Authority("http://ocsp.example/").pair(HOST, whole=False).certificate)


@pytest.mark.parametrize("where", ["https://ocsp.example/", "ldap://ocsp.example", "file:///etc/passwd"])
def test_nginx_asks_by_http_only(where: str) -> None:
    assert not can_be_stapled(Authority(where).pair(HOST).certificate)


def test_one_without_a_responder_cannot() -> None:
    assert not can_be_stapled(self_signed(HOST, datetime.now(UTC), 1).certificate)


@pytest.mark.parametrize("text", ["", "no certificate"])
def test_what_is_no_certificate_cannot(text: str) -> None:
    assert not can_be_stapled(text)


def test_the_name_servers_are_written_as_nginx_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# nameserver 192.0.2.9\nsearch example\nnameserver\nnameserver 192.0.2.1\nnameserver\t2001:db8::1\n"
        "nameserver fe80::1%eth0\nnameserver evil;\nnameserver 192.0.2.2 # a\nnameserver 192.0.2.3\n"
    )
    assert resolvers(path) == ("192.0.2.1", "[2001:db8::1]", "192.0.2.2")
    assert resolvers(tmp_path / "none") == ()
