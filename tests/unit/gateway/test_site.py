import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exposer.config.model import Auth, Limits, Rate
from exposer.errors import ConfigError, MissingError
from exposer.gateway import site
from exposer.gateway.passer import Passer
from exposer.gateway.policy import Policy
from exposer.keys import ring as rings
from exposer.openapi.model import Operation
from exposer.secret import Secret
from tests.support.gateway import OPERATIONS, make_policy, op

RING, CLEAR = rings.mint(rings.new_ring(), "alice", 0.0)
HOSTILE = st.text(st.sampled_from("a/;{}\"'\\$#\n \t%`~^*()é文") | st.characters(), max_size=30)


def rendered(policy: Policy | None = None, **changes: object) -> dict[str, str]:
    made = policy or make_policy(RING, "http://127.0.0.1:8080", **changes)
    return site.render(made, "127.0.0.1:9", site.Paths(ca="/etc/ca.pem"))


def tokens(text: str) -> Iterator[str]:
    """What nginx makes of a config: its own rules for quotes, escapes and comments, written down again."""
    at = 0
    while at < len(text):
        char = text[at]
        if char in " \t\r\n":
            at += 1
        elif char == "#":
            at = text.index("\n", at)
        elif char in ";{}":
            yield char
            at += 1
        elif char in "\"'":
            end, token = at + 1, ""
            while text[end] != char:
                if text[end] == "\\":
                    following = text[end + 1]
                    token += (
                        following
                        if following in "\"'\\"
                        else {"t": "\t", "r": "\r", "n": "\n"}.get(following, "\\" + following)
                    )
                    end += 2
                else:
                    token += text[end]
                    end += 1
            assert text[end + 1] in " \t\r\n;{)", text[at : end + 2]
            yield "=" + token
            at = end + 1
        else:
            end = at
            while text[end] not in " \t\r\n;{":
                end += 2 if text[end : end + 2] == "${" else 1
            yield "=" + text[at:end]
            at = end


def shape(text: str) -> str:
    """A config with every word left out but the first of each line of thought: its structure."""
    found, first = [], True
    for token in tokens(text):
        if token in (";", "{", "}"):
            found.append(token)
            first = True
        else:
            found.append(token if first and re.fullmatch(r"=[a-z_]+", token) else "=")
            first = False
    return "".join(found)


PLAIN = rendered(operations=[Operation("id", "GET", "/p", "/p")], upstream_auth=("X-Up", Secret("s")))


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_hostile_text_never_changes_the_structure(name: str, path: str) -> None:
    operation = Operation(name, "GET", "/p" + path, "/p" + path)
    files = rendered(operations=[operation], hidden=[], upstream_auth=("X-Up", Secret("s")))
    if "map $path $op_GET" not in files[site.MAIN]:
        return  # such a path cannot be called, and is left out
    assert shape(files[site.MAIN]) == shape(PLAIN[site.MAIN])


NAMED = rendered(
    operations=[Operation("0", "GET", "/p", "/p", query=("q",))], inject={"0": {"X-In": "1"}}, own_hosts=("h.lan",)
)


@settings(deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_hostile_names_of_queries_headers_and_hosts_never_change_the_structure(
    name: str, query: str, value: str, host: str
) -> None:
    operation = Operation("0" + name, "GET", "/p", "/p", query=("q" + query,))
    files = rendered(operations=[operation], inject={"0" + name: {"X-In": value}}, own_hosts=("h.lan", host))
    if 'proxy_set_header "X-In"' not in files[site.MAIN]:
        return  # such a header is not added, and the operation is left out
    assert shape(files[site.MAIN]) == shape(NAMED[site.MAIN])


def test_operations_whose_names_nginx_would_mix_up_are_told_apart() -> None:
    names = ("getItem", "getitem", "default", "include", "plain", "~^.*", "a b")
    operations = [Operation(name, "GET", f"/p{n}", f"/p{n}", query=()) for n, name in enumerate(names)]
    text = rendered(operations=operations)[site.MAIN]
    section = text[text.index("map $published $declared") :].split("}")[0]
    keys = [line.split()[0] for line in section.splitlines()[2:] if line.strip()]
    assert [key for key in keys if not key.startswith('"~^')] == ['"plain"']
    assert len(set(keys)) == len(names)


@settings(deadline=None)
@given(HOSTILE)
def test_a_hostile_secret_stays_one_value(value: str) -> None:
    try:
        files = rendered(operations=[], upstream_auth=("X-Up", Secret(value)))
    except ConfigError:
        return
    assert shape(files[site.UPSTREAM]) == shape(PLAIN[site.UPSTREAM])
    token = [token for token in tokens(files[site.UPSTREAM]) if token.startswith("=")][-1]
    assert token[1:].replace("${dollar}", "$") == value


@settings(deadline=None)
@given(st.lists(st.text(max_size=40).map(lambda t: "/" + t), max_size=60), st.integers(0, 40))
def test_no_token_is_longer_than_nginx_takes(paths: list[str], repeat: int) -> None:
    operations = [
        Operation(str(n), "GET", path, path)
        for n, path in enumerate([*paths, *(f"/{'长' * 20}{n}/{{x}}" for n in range(repeat))])
    ]
    hidden = [op("GET", f"/{'长' * 20}{n}/very/hidden") for n in range(repeat)] + [op("GET", "/a/{b}")] * repeat
    for line in rendered(operations=operations, hidden=hidden)[site.MAIN].splitlines():
        assert len(line.encode()) < 4096


def test_the_backends_secret_is_in_the_file_of_its_own_only() -> None:
    files = rendered(upstream_auth=("X-Up", Secret("s3cr3t-value")))
    assert [name for name, text in files.items() if "s3cr3t" in text] == [site.UPSTREAM]


def test_there_is_a_file_of_passwords_only_for_basic() -> None:
    assert set(rendered()) == {"nginx.conf", "upstream.conf", "htpasswd.0"}
    assert set(rendered(auth=Auth(methods=("api-key",)))) == {"nginx.conf", "upstream.conf"}


def test_all_paths_are_relative_but_the_certificates() -> None:
    text = rendered(make_policy(RING, "https://api.internal"))[site.MAIN]
    assert re.findall(r'"(/[^"]*)";', text) == ["/etc/ca.pem"] or set(re.findall(r'"(/etc[^"]*)"', text)) == {
        "/etc/ca.pem"
    }
    assert "proxy_ssl_verify on" in text
    assert 'proxy_ssl_name "api.internal"' in text


def test_an_https_backend_without_certificates_is_refused() -> None:
    with pytest.raises(MissingError):
        site.render(make_policy(RING, "https://api.internal"), "127.0.0.1:9", site.Paths())


def test_the_user_line_is_there_only_when_it_is_needed() -> None:
    made = make_policy(RING, "http://h:1")
    assert "\nuser " not in rendered(made)[site.MAIN]
    assert site.render(made, "x", site.Paths(), ("www-data", "www-data"))[site.MAIN].startswith('user "www-data"')


def test_no_clear_key_and_no_salt_less_hash_is_in_the_files() -> None:
    text = "".join(rendered().values())
    assert CLEAR.reveal() not in text
    assert base64.b64encode(CLEAR.reveal().encode()).decode() not in text


def test_only_configured_ways_of_showing_a_key_are_in_the_files() -> None:
    text = rendered(auth=Auth(methods=("bearer",), header="X-My-Key"))[site.MAIN]
    assert "http_x_my_key" not in text
    assert "auth_basic" not in text
    assert "http_authorization" in text
    assert 'proxy_set_header "X-My-Key" ""' in text


def test_no_way_at_all_lets_nobody_in() -> None:
    text = rendered(auth=Auth(methods=("oauth",)))[site.MAIN]
    assert 'if ($sources !~ "(?|(?!)(?P<clear>)(?P<shown>))") { return 420; }' in text


@pytest.mark.parametrize(
    ("rate", "said", "burst"),
    [
        (Rate(60, 60), "rate=1r/s", 59),
        (Rate(90, 60), "rate=90r/m", 89),
        (Rate(10, 1), "rate=10r/s", 9),
        (Rate(1, 60), "rate=1r/m", 0),
    ],
)
def test_rates_are_rounded_down_to_what_nginx_counts(rate: Rate, said: str, burst: int) -> None:
    text = rendered(limits=Limits(rate=rate))[site.MAIN]
    assert said in text
    assert ("zone=keys burst" in text) == bool(burst)
    assert not burst or f"burst={burst} nodelay" in text


def test_keys_of_one_label_are_in_files_of_their_own() -> None:
    def passer(key_id: str, label: str) -> Passer:
        return Passer(key_id, label, "", "", "", True)

    old, new, other = passer("aaaaaaaa", "x"), passer("bbbbbbbb", "x"), passer("cccccccc", "aaaaaaaa")
    first, second = site.login_tiers([old, new, other])
    assert first == {"aaaaaaaa": old, "bbbbbbbb": new, "cccccccc": other, "x": new}
    assert second == {"aaaaaaaa": other, "x": old}


def test_the_digest_follows_policy_keys_and_templates(tmp_path: Path) -> None:
    made = make_policy(RING, "http://h:1")
    base = site.digest(rendered(made))
    assert site.digest(rendered(made)) == base
    assert site.digest(rendered(make_policy(RING, "http://h:1", operations=OPERATIONS[:1]))) != base
    more, _ = rings.mint(RING, "bob", 0.0)
    assert site.digest(rendered(make_policy(more, "http://h:1"))) != base
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "upstream.conf.j2").write_text("# own\n")
    assert site.digest(site.render(made, "127.0.0.1:9", site.Paths(ca="/etc/ca.pem"), None, str(tmp_path))) != base


def test_a_broken_template_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "gate.conf.j2").write_text("\n{% if %}\n")
    with pytest.raises(ConfigError, match=r"gate\.conf\.j2, line 2"):
        site.render(make_policy(RING, "http://h:1"), "127.0.0.1:9", site.Paths(), None, str(tmp_path))
