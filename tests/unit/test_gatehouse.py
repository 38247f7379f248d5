"""What the gateway is told of the tunnels that lead to it."""

from exposer.config.model import Backend, Config, Standby, Tunnel
from exposer.gatehouse import _caller, _hosts


def config(tunnel: Tunnel, **standby: object) -> Config:
    return Config("x", Backend("url"), tunnel=tunnel, standby=Standby(**standby))  # type: ignore[arg-type]


def test_the_names_that_callers_should_know_are_those_of_all_tunnels_or_none_is_judged() -> None:
    assert _hosts(config(Tunnel("cloudflared", hostname="API.example.com"))) == ("api.example.com",)
    assert _hosts(config(Tunnel("ssh", url="https://a.example:8443"))) == ("a.example",)
    assert _hosts(config(Tunnel("cloudflared"))) == ()
    both = Tunnel("cloudflared", hostname="a.example", standby="ssh")
    assert _hosts(config(both, url="https://b.example")) == ("a.example", "b.example")
    assert _hosts(config(Tunnel("cloudflared", hostname="a.example", standby="ngrok"))) == ()


def test_names_that_every_gateway_has_are_not_named_twice_and_numbers_of_ipv6_are_not_judged() -> None:
    assert _hosts(config(Tunnel("ssh", url="http://127.0.0.1:8443"))) == ()
    assert _hosts(config(Tunnel("ssh", url="http://[::1]:8443"))) == ()


def test_who_calls_is_believed_only_when_nobody_else_comes_by_a_socket() -> None:
    assert _caller(config(Tunnel("cloudflared"))) == "CF-Connecting-IP"
    assert _caller(config(Tunnel("cloudflared", standby="ngrok"))) == "CF-Connecting-IP"
    assert _caller(config(Tunnel("cloudflared", standby="cloudflared"))) == "CF-Connecting-IP"
    assert _caller(config(Tunnel("cloudflared", standby="ssh"))) == ""
    assert _caller(config(Tunnel("ssh", standby="cloudflared"))) == ""
    assert _caller(config(Tunnel("server"))) == ""
