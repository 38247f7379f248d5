"""Reads a config text as if it stood in /srv/app/exposer.toml, and tells its problems."""

from pathlib import Path

import pytest

from exposer.config.load import parse
from exposer.errors import ConfigError

LEAST = 'name = "x"\n[backend]\nimage = "i"\nport = 80\n'
HERE = Path("/srv/app/exposer.toml")

# Section 4 of the contract, word for word.
CONTRACT = """\
version = 1
name = "welink"
engine = "auto"                # auto | docker | process | swarm
lease = "90s"                  # the supervisor silent for longer than this: closed

[backend]                      # exactly one of image, build, container, command, url
image = "…"                    # run it (build = "." builds it first)
# container = "welink"         # adopt a running container
# command = ["…"]              # run a process
# url = "http://127.0.0.1:8080"# already running
port = 8080
volumes = ["./data:/app/data:ro"]
env = { TOKEN = "env:WELINK_TOKEN" }
internet = false               # the backend's network has no way out
health = "/api/health"
openapi = "/api/swagger.json"  # a path on the backend, a URL or a file
start_timeout = "60s"
auth = { header = "Authorization", value = "env:UPSTREAM" }   # added by the gateway, never seen outside

[tunnel]
provider = "cloudflared"       # cloudflared | ngrok | ssh | server | local
# hostname, token, … per provider
# standby = "ngrok"            # takes over when the first is down from outside

[auth]
methods = ["api-key"]          # api-key | bearer | basic | oauth
header = "X-API-Key"
grace = "15m"

[schema]
client = "gpt-action"          # whose limits apply
methods = ["GET"]
include = []                   # operation ids, tags or "METHOD /path/glob"
exclude = []
max_operations = 30

[limits]
rate = "60/min"
body = "1MB"
timeout = "45s"
response = "100k"              # characters, for clients that refuse more
egress = "50MB/h"              # per key; over it the key is suspended
allow_from = []                # "openai", "anthropic", CIDRs: a second lock, never the only one

[panic]
backend = "stop"               # stop | pause | keep
on = ["auth-canary", "decoy-key"]   # what triggers it without a person

[doors]
openapi = true                 # the published document
mcp = false                    # Streamable HTTP at /mcp
privacy = false                # a privacy page at /privacy

[notify]
webhook = []
desktop = true

[hooks]
address_changed = []           # argv; gets JSON on standard input

[audit]
retain = "90d"
"""


def problems(text, path=HERE):
    with pytest.raises(ConfigError) as caught:
        parse(text, path)
    return caught.value.problems


def problem(text, path=HERE):
    (only,) = problems(text, path)
    return only


def backend(line, path=HERE):
    """The config with this line in [backend]."""
    return parse(f"{LEAST}{line}\n", path).backend


def backend_problem(line, path=HERE):
    return problem(f"{LEAST}{line}\n", path).removeprefix("exposer.toml:5: ")
