"""What belongs together, what this version cannot do, and what a person should know."""

import re

import pytest

from exposer.config.load import parse, with_provider
from exposer.config.model import SecretRef
from exposer.errors import ConfigError
from tests.unit.config.reading import HERE, LEAST, problem, problems


def test_exactly_one_kind_of_backend_is_named():
    assert "not none of them" in problem('name = "x"\n[backend]\nport = 80\n')
    assert "not none of them" in problem('name = "x"\n')
    two = problem(f'{LEAST}command = ["x"]\n')
    assert two.startswith("exposer.toml:2: backend: should have exactly one of image, build, container, command, url")
    assert two.endswith("not image and command")


def test_a_kind_with_a_wrong_value_counts_as_named():
    assert ": backend.image: " in problem('name = "x"\n[backend]\nimage = 5\nport = 80\n')


@pytest.mark.parametrize("kind", ['image = "i"', 'build = "."', 'container = "c"', 'command = ["c"]'])
def test_the_port_is_needed_unless_the_backend_is_a_url(kind):
    assert "backend.port: is missing" in problem(f'name = "x"\n[backend]\n{kind}\n')


SSH = 'provider = "ssh"\nhost = "s.example"\nuser = "t"\nremote_port = 8443\nurl = "https://a.example"\n'


def test_a_tunnel_over_ssh_needs_host_user_port_and_address():
    config = parse(f"{LEAST}[tunnel]\n{SSH}", HERE)
    assert (config.tunnel.host, config.tunnel.url, config.tunnel.port) == (
        "s.example",
        "https://a.example",
        22,
    )
    found = problems(f'{LEAST}[tunnel]\nprovider = "ssh"\n')
    assert [re.search(r"tunnel\.(\w+): is missing", line)[1] for line in found] == [
        "host",
        "user",
        "remote_port",
        "url",
    ]


def test_a_wrong_value_is_not_told_again_as_missing():
    found = problems(f"{LEAST}[tunnel]\n{SSH.replace('8443', '0')}")
    assert len(found) == 1
    assert "tunnel.remote_port: should be" in found[0]


def test_cloudflared_has_both_token_and_hostname_or_neither():
    start = f'{LEAST}[tunnel]\nprovider = "cloudflared"\n'
    both = parse(f'{start}token = "env:T"\nhostname = "API.example.com"\n', HERE).tunnel
    assert (both.token, both.hostname) == (SecretRef("env", "T"), "api.example.com")
    assert "tunnel.hostname: is missing" in problem(f'{start}token = "env:T"\n')
    assert "tunnel.token: is missing" in problem(f'{start}hostname = "a.example"\n')


def test_a_cloudflared_tunnel_by_credentials_needs_a_hostname_and_no_token():
    start = f'{LEAST}[tunnel]\nprovider = "cloudflared"\ncredentials = "file:t.json"\n'
    found = parse(f'{start}hostname = "a.example.com"\n', HERE).tunnel
    assert found.credentials == SecretRef("file", str(HERE.parent / "t.json"))
    assert "tunnel.hostname: is missing" in problem(start)
    assert "two ways" in problem(f'{start}hostname = "a.example.com"\ntoken = "env:T"\n')


def test_an_ssh_service_needs_nothing_else():
    assert parse(f'{LEAST}[tunnel]\nprovider = "ssh"\nservice = "pinggy"\n', HERE).tunnel.service == "pinggy"


def test_another_tunnel_may_be_chosen_when_its_settings_are_there():
    config = parse(f"{LEAST}[tunnel]\n{SSH.replace('ssh', 'local')}", HERE)
    assert with_provider(config, "ssh").tunnel.provider == "ssh"
    assert with_provider(config, "cloudflared").tunnel.provider == "cloudflared"
    bare = parse(LEAST, HERE)
    for provider, said in (
        ("ssh", "tunnel.host: is missing"),
        ("server", "tunnel.hostname: is missing"),
        ("sssh", "did you mean 'ssh'"),
    ):
        with pytest.raises(ConfigError, match=said):
            with_provider(bare, provider)


@pytest.mark.parametrize("provider", ["ssh", "ngrok"])
def test_a_list_of_addresses_needs_a_tunnel_that_tells_who_calls(provider):
    text = f'{LEAST}[limits]\nallow_from = ["openai"]\n[tunnel]\n'
    told = problem(f"{text}{SSH.replace('ssh', provider, 1)}")
    assert f"tunnel.provider '{provider}' does not tell" in told
    config = parse(f'{text}provider = "cloudflared"\n', HERE)
    assert config.limits.allow_from == ("openai",)
    with pytest.raises(ConfigError, match="does not tell"):
        with_provider(config, provider)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("opanai", "did you mean 'openai'"),
        ("203.0.113.1/24", "the network is '203.0.113.0/24'"),
        ("example.com", "or a network such as"),
        ("", "is empty"),
        ("10.0.0.0/40", "or a network such as"),
    ],
)
def test_who_may_call_is_a_known_name_or_a_network(word, said):
    assert said in problem(f'{LEAST}[limits]\nallow_from = ["{word}"]\n')


def test_an_address_is_a_network_of_one():
    config = parse(f'{LEAST}[limits]\nallow_from = ["203.0.113.7", "2001:db8::/32", "anthropic"]\n', HERE)
    assert config.limits.allow_from == ("203.0.113.7/32", "2001:db8::/32", "anthropic")


# ---- what this version cannot do ----


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('engine = "swarm"', "engine"),
        ('[auth]\nmethods = ["api-key", "oauth"]', "auth.methods"),
        ("[doors]\nmcp = true", "doors.mcp"),
        ("[doors]\nprivacy = true", "doors.privacy"),
    ],
)
def test_what_would_leave_the_user_less_protected_than_believed_is_refused(text, path):
    whole = f"{LEAST}{text}\n" if text.startswith("[") else f"{text}\n{LEAST}"
    found = problem(whole)
    assert f": {path}: " in found
    assert "is not available in this version" in found


def test_what_has_no_effect_on_this_kind_of_backend_is_noted():
    text = 'name = "x"\n[backend]\ncommand = ["a"]\nport = 80\ninternet = false\n'
    assert parse(text, HERE).notes == ("without effect on a backend given by backend.command: backend.internet",)


def test_a_public_address_without_tls_is_noted():
    (note,) = parse(f"{LEAST}[tunnel]\n{SSH.replace('https', 'http')}", HERE).notes
    assert "in the clear" in note


# ---- a second tunnel ----

OWN_SSH = 'user = "u"\nremote_port = 1\nurl = "https://a.example"\n'
FIRST = '[tunnel]\nprovider = "cloudflared"\n'


def test_a_second_tunnel_has_settings_of_its_own():
    own = '[standby]\ntoken = "env:NG"\nafter = "5s"\nback = "never"\n'
    config = parse(f'{LEAST}{FIRST}standby = "ngrok"\n{own}', HERE)
    assert config.second is not None
    assert (config.second.provider, str(config.second.token), config.tunnel.token) == ("ngrok", "env:NG", None)
    assert (config.standby.after, config.standby.back) == (5.0, 0.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tunnel]\nstandby = "ngrok"\n', "tunnel.standby: has nothing to take over from"),
        ('[tunnel]\nprovider = "ngrok"\nstandby = "ngrok"\n', "tunnel.standby: should be another provider"),
        (f'{FIRST}standby = "server"\n', "tunnel.standby: should be one of cloudflared, ngrok, ssh"),
        (f'{FIRST}standby = "ssh"\n[standby]\n{OWN_SSH}', "standby.host: is missing"),
        (f'{FIRST}standby = "cloudflared"\n[standby]\nhostname = "a.example"\n', "standby.token: is missing"),
        (f'{FIRST}standby = "ngrok"\n[limits]\nallow_from = ["openai"]\n', "tunnel.standby 'ngrok' does not tell"),
    ],
)
def test_a_second_tunnel_that_could_not_take_over_is_refused(text, said):
    assert said in problem(f"{LEAST}{text}")


def test_whoever_chooses_a_tunnel_by_hand_gets_that_one_alone():
    config = parse(f'{LEAST}{FIRST}standby = "ngrok"\n[standby]\ntoken = "env:NG"\n', HERE)
    assert with_provider(config, "local").second is None


def test_settings_of_a_second_tunnel_that_is_not_there_are_told():
    assert "standby.after" in " ".join(parse(f'{LEAST}[standby]\nafter = "5s"\n', HERE).notes)
