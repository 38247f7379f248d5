"""The cloudflared command, its token, and where its configuration sends traffic."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer.config.model import Tunnel
from exposer.tunnels.cloudflared import argv, strays
from exposer.tunnels.cloudflared_named import Named, config_text, token_fault

UUID = "22ec0000-0000-4000-8000-000000000000"
OURS = {"hostname": "", "path": None, "service": "http://127.0.0.1:8000"}
REST = {"service": "http_status:404"}
COMMON = [
    *("cf", "tunnel", "--config", "/c", "--no-autoupdate", "--no-prechecks", "--metrics", "127.0.0.1:9"),
    *("--label", "l", "--output", "json", "--grace-period", "0s", "--management-diagnostics=false"),
    *("--protocol", "auto", "--edge-ip-version", "auto", "--max-edge-addr-retries", "0", "--retries", "0"),
]


def command(tunnel: Tunnel | None = None, **more: Any) -> list[str]:
    where = {"config": "/c", "metrics": "127.0.0.1:9", "label": "l"}
    return argv("cf", tunnel or Tunnel("cloudflared"), "127.0.0.1:8000", **where, **more)


def test_a_quick_tunnel_is_started_with_a_config_of_our_own() -> None:
    assert command() == [*COMMON, "--url", "http://127.0.0.1:8000"]


def test_a_named_tunnel_gets_its_token_through_a_file() -> None:
    assert command(token_file="/t") == [*COMMON, "run", "--token-file", "/t", "--url", "http://127.0.0.1:8000"]


def test_what_a_quick_tunnel_leads_to_stands_in_our_config_because_without_a_url_there_is_none() -> None:
    assert config_text(None, "unix:gateway.sock", "/k") == b"ingress:\n- service: unix:gateway.sock\n"
    assert config_text(Named("api.example.org", token="t"), "unix:gateway.sock", "/k") == b"{}\n"


def test_the_socket_is_ours_and_the_port_is_not_when_only_the_socket_will_do() -> None:
    def led_to(service: str) -> dict[str, Any]:
        return {"config": {"ingress": [{"service": service}, REST]}}

    door = "/run/x/gateway/gateway.sock"
    for service in ("unix:gateway.sock", f"unix:{door}", "http://127.0.0.1:8000"):
        assert strays(led_to(service), "127.0.0.1:8000", door) == []
    assert strays(led_to("unix:/run/other.sock"), "127.0.0.1:8000", door) == ["unix:/run/other.sock (for any host)"]
    assert strays(led_to(f"unix:{door}"), "127.0.0.1:8000", door, alone=True) == []
    assert strays(led_to("http://127.0.0.1:8000"), "127.0.0.1:8000", door, alone=True) != []
    assert strays(led_to("unix:"), "127.0.0.1:8000") != []


def test_the_config_chooses_protocol_and_region() -> None:
    words = command(Tunnel("cloudflared", protocol="http2", region="us"))
    assert words[words.index("--protocol") + 1] == "http2"
    assert words[words.index("--region") + 1] == "us"


def test_flags_that_a_version_lacks_are_left_out_with_their_values() -> None:
    words = command(without=("label", "no-prechecks"))
    assert {"--label", "l", "--no-prechecks"}.isdisjoint(words)


def token(**parts: str) -> str:
    return base64.b64encode(json.dumps(parts).encode()).decode()


def test_a_token_in_due_form_is_accepted() -> None:
    assert token_fault(token(a="account", t=UUID, s="c2VjcmV0")) == ""


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "not base64 at all!",
        base64.b64encode(b"not json").decode(),
        base64.b64encode(b'["a", "t", "s"]').decode(),
        token(a="account", s="c2VjcmV0"),
        token(a="account", t="", s="c2VjcmV0"),
        token(a="account", t="not-a-uuid", s="c2VjcmV0"),
        token(a="account", t=UUID, s="c2VjcmV0").rstrip("=") + "-_",
        "ü",
    ],
)
def test_a_token_of_another_form_is_told_apart_before_it_is_used(bad: str) -> None:
    assert token_fault(bad)


@given(st.text(min_size=12, max_size=60))
def test_what_is_wrong_with_a_token_never_repeats_it(bad: str) -> None:
    assert bad not in token_fault(bad)


def config(*rules: Any) -> dict[str, Any]:
    return {"version": 3, "config": {"ingress": list(rules)}}


def test_a_configuration_that_leads_to_us_alone_is_fine() -> None:
    assert strays(config(OURS), "127.0.0.1:8000") == []
    assert strays(config({"hostname": "a.example", "service": "http://localhost:8000/"}, REST), "127.0.0.1:8000") == []


@pytest.mark.parametrize(
    "service",
    [
        "http://127.0.0.1:8001",
        "https://127.0.0.1:8000",
        "http://10.0.0.1:8000",
        "http://127.0.0.1:8000/admin",
        "http://127.0.0.1:8000@evil.example",
        "http://127.0.0.1:bad",
        "unix:/run/docker.sock",
        "hello_world",
        "ssh://localhost:8000",
    ],
)
def test_a_rule_that_leads_elsewhere_is_named(service: str) -> None:
    found = strays(config(OURS, {"hostname": "b.example", "service": service}), "127.0.0.1:8000")
    assert found == [f"{service} (for b.example)"]


@pytest.mark.parametrize("answer", [config(), config(REST), {}, {"config": None}, {"config": {"ingress": [1]}}])
def test_a_configuration_that_leads_nowhere_is_seen(answer: Any) -> None:
    assert strays(answer, "127.0.0.1:8000") is None
