"""A wrong value is told with its line, its place and what it should be."""

import re

import pytest

from exposer.config.load import parse
from tests.unit.config.reading import HERE, LEAST, problem, problems


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("memory = 5", 'memory: should be a size such as "100k"'),
        ('memory = "1MB"', "memory: should be from 6MiB"),
        ('port = "80"', "port: should be a whole number"),
        ("pids = true", "pids: should be a whole number"),
        ("internet = 1", "internet: should be true or false, not 1"),
        ('start_timeout = "0s"', "start_timeout: should be more than zero"),
        ('start_timeout = "9000000d"', "start_timeout: should be more than zero and at most ten years"),
        ("start_timeout = nan", "start_timeout: should be a time"),
        ('health = "health"', "health: should be a path on the backend"),
        ('health = ""', "health: is empty"),
        ('health = "/a b"', "health: must not have a space"),
        ('openapi = "ftp://x/y"', "openapi: should be an address that begins with http"),
        ('openapi = "https://u:p@x/y"', "openapi: should be an address"),
        ('openapi = "http://[::1/x"', "openapi: should be an address"),
        ('openapi = "a\\u0000b"', "openapi: has a control character"),
        ("volumes = 'a:/b'", "volumes: should be a list"),
        ('volumes = ["a"]', "volumes[0]: should be"),
        ('volumes = ["./a:/b", "./a:b"]', "volumes[1]: should be"),
        ('volumes = ["./a:/"]', "volumes[0]: should be"),
        ('volumes = ["./a:/b/../../etc"]', "volumes[0]: should be"),
        ('volumes = ["./a:/b:rx"]', "volumes[0]: should be"),
        ('volumes = ["a$b:/b"]', "volumes[0]: should be"),
        ('volumes = ["/:/host"]', "volumes[0]: must not mount '/'"),
        ('volumes = ["//:/host:ro"]', "volumes[0]: must not mount '/'"),
        ('volumes = ["../../../..:/host"]', "volumes[0]: must not mount '/'"),
        ('volumes = ["/var/run/docker.sock:/d"]', "volumes[0]: must not mount the container engine's socket"),
        ('volumes = ["/run:/d:ro"]', "volumes[0]: must not mount the container engine's socket"),
        (
            'volumes = ["/run/../run/docker.sock:/d"]',
            "volumes[0]: must not mount the container engine's socket",
        ),
        ('env = ["A=b"]', "env: should be a table"),
        ('env = { "A B" = "c" }', "env.'A B': is no name for a variable"),
        ("env = { A = 1 }", "env.A: should be text in quotes"),
        ('env = { A = "env:not a name" }', "env.A: should name a variable"),
        ('env = { A = "\\u0000" }', "env.A: has a zero byte"),
        ('auth = { header = "X Y", value = "env:A" }', "auth.header: should be the name of a header"),
        ('auth = { header = "X:Y", value = "env:A" }', "auth.header: should be the name of a header"),
        ('auth = { header = "Host", value = "env:A" }', "auth.header: must not be Host"),
        ('auth = { header = "X-Y" }', "auth.value: is missing"),
        ('auth = { value = "env:A" }', "auth.header: is missing"),
        ('auth = "env:A"', "auth: should be a table"),
        ('auth = { header = "X-Y", value = "keyring:" }', "auth.value: should have a name"),
        ('imag = "x"', "imag: there is no such key (did you mean 'image'?)"),
        ("timeout = 5", "timeout: there is no such key"),
        ('engine = "auto"', "engine: there is no such key here (did you mean 'engine'? It stands above"),
        ('hostname = "x"', "hostname: there is no such key here (did you mean 'tunnel.hostname' or"),
        ('"a\\nb" = 1', r"'a\nb': there is no such key; there are image, build"),
    ],
)
def test_a_wrong_value_in_the_backend_is_told_with_its_place(line, said):
    text = re.sub(r"(?m)^port = 80\n", "", LEAST) if line.startswith("port") else LEAST
    (found,) = problems(f"{text}{line}\n")
    assert re.sub(r"^exposer.toml:[45]: backend\.", "", found).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'engine = "dokcer"',
            "engine: should be one of auto, docker, process, swarm, not 'dokcer' (did you mean 'docker'?)",
        ),
        ("version = 2", "version: should be 1, not 2"),
        ('lease = "-1s"', "lease: should be a time"),
        ("limits = 5", "limits: should be a table such as [limits], not 5"),
        ("[[limits]]", "limits: should be a table such as [limits], not a list"),
        ("[limit]", "limit: there is no such key (did you mean 'limits'?)"),
        ("[auth]\nmethods = []", "auth.methods: is empty: name at least one"),
        ('[auth]\nmethods = "basic"', "auth.methods: should be a list"),
        ('[auth]\nmethods = ["baisc"]', "auth.methods[0]: should be one of api-key, bearer, basic, oauth"),
        ('[auth]\nheader = "X_Key"', "auth.header: should have only letters"),
        ('[auth]\nheader = "X!Key"', "auth.header: should have only letters"),
        ('[auth]\nheader = "Connection"', "auth.header: must not be Connection"),
        ('[schema]\nmethods = ["get"]', "schema.methods[0]: should be one of GET, HEAD, POST"),
        ('[schema]\nmethods = ["TRACE"]', "schema.methods[0]: should be one of"),
        ("[schema]\nmethods = []", "schema.methods: is empty"),
        ("[schema]\ninclude = [1]", "schema.include[0]: should be an operation id"),
        ('[schema]\nexclude = [""]', "schema.exclude[0]: is empty"),
        ('[schema]\nprofile = "a b"', "schema.profile: must not have a space in it"),
        ("[schema]\nmax_operations = -1", "schema.max_operations: should be a whole number"),
        ('[limits]\nbody = "0B"', "limits.body: should be from 1B"),
        ('[limits]\nrate = "0/s"', "limits.rate: should be a rate"),
        ('[limits]\nrate = "60"', "limits.rate: should be a rate"),
        ('[limits]\negress = "50MB"', "limits.egress: should be a size an hour"),
        ('[panic]\nbackend = "kill"', "panic.backend: should be one of stop, pause, keep"),
        ('[panic]\non = ["decoykey"]', "panic.on[0]: should be one of auth-canary, decoy-key"),
        ('[notify]\nwebhook = ["x"]', "notify.webhook[0]: should be an address"),
        ('[hooks]\naddress_changed = "x"', "hooks.address_changed: should be a list with the program"),
        ('[hooks]\naddress_changed = [""]', "hooks.address_changed[0]: should be a program"),
        ('[gateway]\ntemplates = "nowhere"', "gateway.templates: should be a folder that exists"),
        ('[gateway]\nimage = "--privileged"', "gateway.image: must not begin with '-'"),
        ('[gateway]\nbinary = "-x"', "gateway.binary: must not begin with '-'"),
        ("[gateway]\nport = 65536", "gateway.port: should be a whole number"),
        (
            '[tunnel]\nhostname = "https://a.b"\ntoken = "env:A"',
            "tunnel.hostname: should be a host name alone",
        ),
        ('[tunnel]\nhostname = "a\\u0007b.c"', "tunnel.hostname: has a control character"),
        ('[tunnel]\nhostname = "-oProxyCommand=x"', "tunnel.hostname: must not begin with '-'"),
        ('[tunnel]\nhost = "-oProxyCommand=x"', "tunnel.host: must not begin with '-'"),
        ('[tunnel]\nuser = "a@b"', "tunnel.user: should be a user's name"),
        ('[tunnel]\nidentity = "-x"', "tunnel.identity: must not begin with '-'"),
        ('[tunnel]\nregion = "a b"', "tunnel.region: must not have a space"),
        ('[tunnel]\nprotocol = "tcp"', "tunnel.protocol: should be one of auto, quic, http2"),
        ("[tunnel]\nremote_port = 0", "tunnel.remote_port: should be a whole number"),
        ('[tunnel]\nurl = "https://a/b"', "tunnel.url: should be http:// or https://"),
        ('[tunnel]\nurl = "https://a\\n"', "tunnel.url: has a control character"),
    ],
)
def test_a_wrong_value_elsewhere_is_told_with_its_place(text, said):
    whole = f"{text}\n{LEAST}" if not text.startswith("[") else f"{LEAST}{text}\n"
    (found,) = problems(whole)
    assert re.sub(r"^exposer.toml:\d+: ", "", found).startswith(said)


def test_a_name_is_of_small_letters_digits_and_dashes():
    for good in ("a", "9", "a-b", "a" * 31):
        assert parse(LEAST.replace('"x"', f'"{good}"'), HERE).name == good
    for bad in ("A", "-a", "a_b", "a" * 32, "ä", "a/b", "..", "a\\nb"):
        assert ": name: " in problem(LEAST.replace('"x"', f'"{bad}"'))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080",
        "https://api.example.com",
        "http://[::1]:80",
        "http://backend_1:8080",
        "http://h:65535",
    ],
)
def test_a_backend_may_be_a_url_and_then_needs_no_port(url):
    for written in (url, url + "/"):
        config = parse(f'name = "x"\n[backend]\nurl = "{written}"\n', HERE)
        assert (config.backend.kind, config.backend.url, config.backend.port) == ("url", url, 0)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://h",
        "http://",
        "http://h/api",
        "http://h?x=1",
        "http://h#x",
        "http://user:pass@h",
        "http://user@h",
        "http://h:0",
        "http://h:65536",
        "http://h:",
        "http://[::zz]",
        "http://h;x",
        "http://h$x",
        "http://h\\n",
        "http://-h",
        " http://h",
        "HTTP://h",
    ],
)
def test_a_backends_url_has_scheme_host_and_port_and_nothing_else(url):
    found = problem(f'name = "x"\n[backend]\nurl = "{url}"\n')
    assert found.startswith("exposer.toml:3: backend.url: ")
    assert "pass" not in found
