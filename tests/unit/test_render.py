"""Templates are strict, and nothing that is put into an nginx config gets out of its quotes."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateNotFound, UndefinedError

from exposer import wire
from exposer.errors import ConfigError
from exposer.render import environment, nginx_quote, templates_dir
from exposer.secret import Secret
from tests.support.eventually import eventually

PRINTABLE = st.text(st.characters(min_codepoint=0x20, exclude_characters="\x7f", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    "text",
    [
        "{{ misspelt }}",
        "{% if misspelt %}auth{% endif %}",
        "{% if not misspelt %}open{% endif %}",
        "{% for x in misspelt %}deny{% endfor %}",
        "{{ policy.misspelt }}",
        "{{ misspelt|nginx }}",
        "{{ 'a' ~ misspelt }}",
        "{{ misspelt == 'x' }}",
        "{{ 'x' in misspelt }}",
    ],
)
def test_a_misspelt_name_is_an_error(text: str) -> None:
    with pytest.raises(UndefinedError, match="misspelt"):
        environment().from_string(text).render(policy={"require_key": True})


def test_our_templates_are_found() -> None:
    assert (templates_dir() / "nginx" / "nginx.conf.j2").is_file()
    assert environment().get_template("nginx/nginx.conf.j2").name == "nginx/nginx.conf.j2"


def test_an_own_template_takes_the_place_of_one_of_ours_and_of_no_other(tmp_path: Path) -> None:
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "proxy.conf.j2").write_text("own {{ x|nginx }}\n")
    env = environment(str(tmp_path))
    assert env.get_template("nginx/proxy.conf.j2").render(x="$") == 'own "${dollar}"\n'
    shipped = templates_dir() / "nginx" / "nginx.conf.j2"
    assert env.get_template("nginx/nginx.conf.j2").filename == str(shipped)


def test_a_template_outside_the_folders_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_text("x")
    with pytest.raises(TemplateNotFound):
        environment(str(tmp_path / "inside")).get_template("../secret")


def test_markup_is_escaped_in_pages_and_left_alone_in_configs(tmp_path: Path) -> None:
    for name in ("page.html", "site.conf"):
        (tmp_path / name).write_text("{{ x }}")
    env = environment(str(tmp_path))
    assert env.get_template("page.html").render(x="<b>") == "&lt;b&gt;"
    assert env.get_template("site.conf").render(x="<b>") == "<b>"


@given(PRINTABLE)
def test_a_quoted_value_is_one_token_that_ends_with_its_own_quote(text: str) -> None:
    quoted = nginx_quote(text)
    assert quoted[0] == quoted[-1] == '"'
    inside = quoted[1:-1]
    at, plain = 0, ""
    while at < len(inside):
        if inside[at] == "\\":
            assert inside[at + 1] in '\\"'
            plain, at = plain + inside[at + 1], at + 2
        elif inside.startswith("${dollar}", at):
            plain, at = plain + "$", at + len("${dollar}")
        else:
            assert inside[at] not in '"$'
            plain, at = plain + inside[at], at + 1
    assert plain == text


@pytest.mark.parametrize("char", [chr(n) for n in (*range(0x20), 0x7F)])
def test_a_control_character_is_refused_and_the_value_is_not_told(char: str) -> None:
    with pytest.raises(ConfigError) as caught:
        nginx_quote(f"geheim{char}")
    assert "geheim" not in caught.value.message + caught.value.hint


def test_a_secret_that_was_not_opened_does_not_get_in() -> None:
    assert "geheim" not in nginx_quote(Secret("geheim"))


HARD = [
    "$remote_addr",
    "${remote_addr}",
    "$",
    "$$1",
    'a"b',
    'x"; } location / { proxy_pass http://127.0.0.1; } #',
    "a\\",
    "\\",
    "\\\\",
    '\\"',
    "\\$host",
    "\\n",
    "a b;c{d}e#f",
    "'",
    "{{ 7*7 }}",
    "Zoë €",
    "~^/.*$",
]


@pytest.mark.nginx
@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not on PATH")
def test_nginx_itself_reads_every_value_as_it_was_meant(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    template = """
worker_processes 1; daemon off; master_process off; pid {{ (folder ~ "/pid")|nginx }}; error_log stderr crit;
events {}
http {
    access_log off;
    client_body_temp_path {{ folder|nginx }}; proxy_temp_path {{ folder|nginx }}; fastcgi_temp_path {{ folder|nginx }};
    uwsgi_temp_path {{ folder|nginx }}; scgi_temp_path {{ folder|nginx }};
    geo $dollar { default "$"; }
    server {
        listen 127.0.0.1:{{ port }};
        {% for value in values %}
        location = /{{ loop.index0 }} { add_header X-Value {{ value|nginx }}; return 200 {{ value|nginx }}; }
        {% endfor %}
    }
}
"""
    (tmp_path / "test.conf.j2").write_text(template)
    text = environment(str(tmp_path)).get_template("test.conf.j2").render(folder=str(tmp_path), port=port, values=HARD)
    (tmp_path / "nginx.conf").write_text(text, encoding="utf-8")
    argv = ["nginx", "-p", str(tmp_path), "-e", "stderr", "-c", str(tmp_path / "nginx.conf")]
    with subprocess.Popen(argv, stderr=subprocess.PIPE) as nginx:
        try:
            base = f"http://127.0.0.1:{port}"
            assert eventually(lambda: _up(base) or nginx.poll()) is True, nginx.stderr and nginx.stderr.read()
            said = [wire.request(base, f"/{n}").body.decode() for n in range(len(HARD))]
        finally:
            nginx.kill()
    assert said == HARD


def _up(base: str) -> bool:
    try:
        return wire.request(base, "/0").status == 200
    except wire.NoAnswerError:
        return False
