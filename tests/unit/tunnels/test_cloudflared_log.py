"""What cloudflared's lines mean."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer.tunnels.cloudflared_log import explain, read_line, refused, unknown_flag


def line(message: str, level: str = "error", **more: object) -> str:
    return json.dumps({"level": level, "message": message, "time": "2026-11-21T07:20:23Z", **more})


REGISTERED = line("Registered tunnel connection", "info", connIndex=0, protocol="quic")
UNAUTHORIZED = line("Register tunnel error from server side", error="Unauthorized: Invalid tunnel secret")
LINES = {
    REGISTERED: "registered",
    "2026-11-21T06:55:06Z INF Registered tunnel connection connIndex=0": "registered",
    UNAUTHORIZED: "refused",
    "Provided Tunnel token is not valid.": "token",
    "Incorrect Usage. flag provided but not defined: -token": "usage",
    "failed to parse quick Tunnel ID: invalid UUID length: 0": "quick",
    line("Error unmarshaling QuickTunnel response: error code: 1015", status_code="429 Too Many Requests"): "limited",
    "failed to request quick Tunnel: Post: dial tcp: lookup api: no such host": "offline",
    "failed to request quick Tunnel: Post: context deadline exceeded": "quick",
    "failed to unmarshal quick Tunnel: invalid character '<' looking for beginning of value": "page",
    "failed to request quick Tunnel: Post: tls: x509: certificate has expired or is not yet valid: ": "clock",
    "Could not lookup srv records on _v2-origintunneld._tcp.argotunnel.com": "lookup",
    "Error opening metrics server listener: bind: address already in use": "metrics-busy",
    line("Failed to dial a quic connection", error="timeout: no recent network activity"): "edge",
    line("initial tunnel connection failed", error="no"): "initial",
    line("something went wrong"): "error",
}


@pytest.mark.parametrize(("said", "kind"), LINES.items())
def test_each_line_is_understood(said: str, kind: str) -> None:
    fact = read_line(said)
    assert fact is not None
    assert fact.kind == kind


@pytest.mark.parametrize(
    "said",
    [
        line("Starting metrics server on 127.0.0.1:20241/metrics", "info"),
        line("no more connections active and exiting"),
        "",
        "{torn",
    ],
)
def test_lines_of_a_normal_life_say_nothing(said: str) -> None:
    assert read_line(said) is None


def test_a_visitor_cannot_put_words_into_the_tunnels_mouth() -> None:
    dest = "http://host/Unauthorized/error code: 1015/flag provided but not defined: -x"
    fact = read_line(line("Request failed", error="Unable to reach the origin: Unauthorized", dest=dest))
    assert fact is not None
    assert fact.kind == "request"
    assert explain([line("odd", dest=dest)], True).text == "cloudflared failed: odd"


def test_a_refusal_counts_until_the_next_success() -> None:
    assert refused([UNAUTHORIZED])
    assert refused([REGISTERED, UNAUTHORIZED])
    assert not refused([UNAUTHORIZED, REGISTERED])


def test_a_refused_token_is_fatal_but_a_refused_quick_tunnel_is_not() -> None:
    assert explain([UNAUTHORIZED], True).fatal
    assert not explain([UNAUTHORIZED], False).fatal


def test_too_many_requests_are_told_from_other_failures_of_the_quick_service() -> None:
    limited = line("Error unmarshaling QuickTunnel response: error code: 1015", status_code="429 Too Many Requests")
    last = "failed to unmarshal quick Tunnel: invalid character 'e' looking for beginning of value"
    fault = explain([limited, last], False)
    assert fault.wait >= 300
    assert explain([last], False).wait < fault.wait


def test_the_flag_that_is_not_known_is_found() -> None:
    assert unknown_flag(["Incorrect Usage. flag provided but not defined: -no-prechecks", "NAME:"]) == "no-prechecks"
    assert unknown_flag([REGISTERED]) == ""


def test_no_lines_make_a_sentence_all_the_same() -> None:
    assert explain([], False).text == "cloudflared ended without a reason"


def test_last_words_that_are_no_log_line_are_the_reason_when_there_is_no_other() -> None:
    started = line("Starting tunnel", "info")
    torn = ',"message":"ICMP proxy will use fd00::2 in zone eth0 as source for IPv6","time":"2026-11-27T03:06:54Z"}'
    assert explain([started, "the disk is full", torn, ""], True).text == "cloudflared failed: the disk is full"
    assert explain([started, torn], True).text == "cloudflared ended without a reason"
    assert explain([line("odd"), "the disk is full"], True).text == "cloudflared failed: odd"


def test_a_secret_is_not_repeated() -> None:
    assert "abc123secret" not in explain([line("bad thing abc123secret")], True, "abc123secret").text


@given(st.text())
def test_no_line_is_too_odd_to_be_read(said: str) -> None:
    read_line(said)
    read_line("{" + said)
