#!/usr/bin/env python3
"""STAND-IN for cloudflared, for tests: command line, metrics, log, signals, and a public side on loopback.

Copy it with `install(folder)`. Beside the copy lie `NAME.json` (the knobs, read again all the time) and
`NAME.public` (the address of the public side while it runs). Knobs, all optional:

    hostname  of the quick tunnel        quick    "limited" | "broken" | "silent" | "page" | "offline"
    refuse    text of a refused registration    quiet    refuse without a word, as over quic
    delay     seconds before it registers       drop     true: no connection while it is true
    ingress   a pushed list of rules            unknown  flags this version does not know
    ignore_sigterm   true                       noise    lines to log at the start
    visitor   the address that the edge sees
"""

import base64
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
import uuid
from pathlib import Path

import yaml

ME = Path(os.path.abspath(sys.argv[0]))
WITH_VALUE = (
    "config",
    "metrics",
    "label",
    "output",
    "grace-period",
    "protocol",
    "retries",
    "region",
    "edge-ip-version",
    "url",
    "unix-socket",
)
BARE = ("no-autoupdate", "no-prechecks", "management-diagnostics")
TUNNEL_FLAGS = {**dict.fromkeys(WITH_VALUE, 1), **dict.fromkeys(BARE, 0), "max-edge-addr-retries": 1}
RUN_FLAGS = {"token": 1, "token-file": 1, "url": 1, "protocol": 1}


def install(folder, name="cloudflared", **knobs):
    """Puts a copy into `folder` and returns its path."""
    path = Path(folder, name)
    text = Path(__file__).read_text(encoding="utf-8").split("\n", 1)[1]
    path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    path.chmod(0o755)
    turn(path, **knobs)
    return path


def turn(path, **knobs):
    """Sets the knobs of an installed copy, all at once."""
    temp = Path(f"{path}.json.new")
    temp.write_text(json.dumps(knobs), encoding="utf-8")
    temp.replace(f"{path}.json")


def public(path):
    """The address of a running copy's public side."""
    return "http://" + Path(f"{path}.public").read_text(encoding="utf-8")


def knobs():
    try:
        return json.loads(Path(f"{ME}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def log(level, message, **more):
    line = {
        "level": level,
        "message": message,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **more,
    }
    print(json.dumps(line), file=sys.stderr, flush=True)


def usage(flag):
    """A usage error: on standard output, with exit code 0."""
    print(
        f"Incorrect Usage. flag provided but not defined: -{flag}\n\nNAME:\n   cloudflared tunnel - ...",
        flush=True,
    )
    sys.exit(0)


def parse(argv):
    if argv[:1] == ["--version"]:
        print("cloudflared version STAND-IN (built never)")
        sys.exit(0)
    if argv[:1] != ["tunnel"]:
        usage(argv[0] if argv else "")
    found, known, words = {}, TUNNEL_FLAGS, list(argv[1:])
    while words:
        word = words.pop(0)
        if word == "run" and known is TUNNEL_FLAGS:
            found["run"], known = True, RUN_FLAGS
            continue
        flag, _, value = word.lstrip("-").partition("=")
        if not word.startswith("--") or flag not in known or flag in knobs().get("unknown", ()):
            usage(flag)
        found[flag] = value if "=" in word else (words.pop(0) if known[flag] else "true")
    return found


class Tunnel:
    def __init__(self, flags):
        self.flags = flags
        self.connector = str(uuid.uuid4())
        self.hostname = ""
        self.connected = False
        self.successes = 0
        self.failures = 0
        self.stopping = False
        self.ingress = []

    def rules(self):
        pushed = knobs().get("ingress")
        if self.ingress:
            return (-1, self.ingress) if pushed is None else (1, pushed)
        local = [{"hostname": "", "path": None, "service": self.flags["url"]}]
        return (1, pushed) if pushed is not None else (-1, local)

    def live(self):
        """Registers, and again after each loss."""
        threading.Event().wait(knobs().get("delay", 0))
        while not self.stopping:
            now = knobs()
            if now.get("refuse"):
                self.failures += 1
                if not now.get("quiet"):
                    error = {"error": now["refuse"], "connIndex": 0, "event": 0}
                    log("error", "Register tunnel error from server side", **error)
            elif self.connected and now.get("drop"):
                self.connected = False
                log("info", "Lost connection with the edge", connIndex=0)
                log("info", "Retrying connection in up to 1s", connIndex=0)
            elif not self.connected and not now.get("drop"):
                self.connected, self.successes = True, self.successes + 1
                log("info", "Registered tunnel connection", connIndex=0, location="lo01", protocol="http2")
            threading.Event().wait(0.02)


class Metrics(http.server.BaseHTTPRequestHandler):
    tunnel = None

    def log_message(self, *args):
        pass

    def do_GET(self):
        status, body = self.answer(self.path)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer(self, path):
        tunnel = self.tunnel
        count = int(tunnel.connected)
        if path == "/ready":
            status = 200 if count else 503
            return status, {"status": status, "readyConnections": count, "connectorId": tunnel.connector}
        if path == "/quicktunnel":
            return 200, {"hostname": tunnel.hostname}
        if path == "/config":
            version, rules = tunnel.rules()
            return 200, {
                "version": version,
                "config": {"ingress": rules, "warp-routing": {}, "originRequest": {}},
            }
        if path == "/metrics":
            lines = [f"cloudflared_tunnel_ha_connections {count}"]
            if tunnel.successes:
                name = 'cloudflared_tunnel_tunnel_register_success{rpcName="registerConnection"}'
                lines.append(f"{name} {tunnel.successes}")
            if tunnel.failures:
                labels = 'error="server_error",rpcName="registerConnection"'
                lines.append(f"cloudflared_tunnel_tunnel_register_fail{{{labels}}} {tunnel.failures}")
            return 200, "\n".join([*lines, ""]).encode()
        return 404, b"404 page not found\n"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=40)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection_to(service):
    if service.startswith("unix:"):
        return UnixConnection(service.removeprefix("unix:"))
    return http.client.HTTPConnection(service.partition("://")[2], timeout=40)


class Public(http.server.BaseHTTPRequestHandler):
    """What a visitor meets: 530 without a connection, 502 without an origin, else the origin."""

    protocol_version = "HTTP/1.1"
    tunnel = None

    def log_message(self, *args):
        pass

    def do_GET(self):
        if not self.tunnel.connected:
            return self.say(530, b"error code: 1033")
        address = self.tunnel.rules()[1][0]["service"]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        origin = connection_to(address)
        try:
            headers = {
                **{name: value for name, value in self.headers.items() if name.lower() != "cf-connecting-ip"},
                "CF-Connecting-IP": knobs().get("visitor", "203.0.113.7"),
                "Host": self.tunnel.hostname or self.tunnel.rules()[1][0].get("hostname") or "api.example.org",
                "Cf-Warp-Tag-Id": self.tunnel.connector,
            }
            origin.request(self.command, self.path, body=body or None, headers=headers)
            answer = origin.getresponse()
            return self.say(answer.status, answer.read(), answer.getheaders())
        except OSError as error:
            log("error", "", error=f"Unable to reach the origin service. dial tcp {address}: {error}", event=1)
            return self.say(502, b"")
        finally:
            origin.close()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = do_GET

    def say(self, status, body, headers=()):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def quick_hostname():
    """Asks the service for a name; its failures end in exit code 1 and a bare last line."""
    now = knobs()
    log("info", "Requesting new quick Tunnel on trycloudflare.com...")
    if now.get("quick") == "limited":
        text = "invalid character 'e' looking for beginning of value"
        message = "Error unmarshaling QuickTunnel response: error code: 1015"
        log("error", message, error=text, status_code="429 Too Many Requests")
        sys.exit(f"failed to unmarshal quick Tunnel: {text}")
    if now.get("quick") == "broken":
        sys.exit("failed to parse quick Tunnel ID: invalid UUID length: 0")
    if now.get("quick") == "page":
        sys.exit("failed to unmarshal quick Tunnel: invalid character '<' looking for beginning of value")
    if now.get("quick") == "offline":
        sys.exit('failed to request quick Tunnel: Post "https://api…/tunnel": dial tcp: lookup api…: no such host')
    if now.get("quick") == "silent":
        threading.Event().wait(15)
        sys.exit('failed to request quick Tunnel: Post "https://…/tunnel": context deadline exceeded')
    words = ["grove", "juniper", "pebble", "olive", "ember", "quartz", "willow", "cedar"]
    name = "-".join(words[byte % len(words)] for byte in uuid.uuid4().bytes[:4]) + ".trycloudflare.com"
    name = now.get("hostname", name)
    log("info", f"|  https://{name}  |")
    return name


def rules_of(flags):
    """The rules of the config file: where there are any, --url counts for nothing."""
    config = yaml.safe_load(Path(flags["config"]).read_text(encoding="utf-8")) or {}
    return config.get("ingress") or []


def check_token(flags, tunnel):
    """The token's form, or the credentials file and the rules that the config file names."""
    if "token" not in flags and "token-file" not in flags:
        try:
            config = yaml.safe_load(Path(flags["config"]).read_text(encoding="utf-8"))
            known = json.loads(Path(config["credentials-file"]).read_text(encoding="utf-8"))
            if known["TunnelID"] != config["tunnel"]:
                raise ValueError(config["tunnel"])
            tunnel.ingress = config["ingress"]
        except (KeyError, OSError, TypeError, ValueError) as error:
            print(f"cannot determine the tunnel: {error}", file=sys.stderr)
            sys.exit(255)
        return
    try:
        token = flags.get("token") or Path(flags["token-file"]).read_text(encoding="utf-8").strip()
        json.loads(base64.b64decode(token, validate=True))["a"]
    except (KeyError, OSError, ValueError):
        print("Provided Tunnel token is not valid.", file=sys.stderr)
        sys.exit(255)


def serve(handler, address, tunnel):
    handler.tunnel = tunnel
    server = http.server.ThreadingHTTPServer(address, handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    tunnel = Tunnel(parse(sys.argv[1:]))
    for line in knobs().get("noise", ()):
        print(line, file=sys.stderr, flush=True)
    if tunnel.flags.get("run"):
        check_token(tunnel.flags, tunnel)
    elif "url" in tunnel.flags:
        tunnel.hostname = quick_hostname()
        tunnel.ingress = rules_of(tunnel.flags)
    else:  # whatever else is given, --unix-socket too
        sys.exit(
            "\nIf you are trying to run a Quick Tunnel then you need to explicitly pass the --url flag.\n"
            "Eg. cloudflared tunnel --url localhost:8080/."
        )
    host, _, port = tunnel.flags["metrics"].rpartition(":")
    try:
        serve(Metrics, (host, int(port)), tunnel)
    except OSError:
        sys.exit(f"Error opening metrics server listener: listen tcp {host}:{port}: bind: address already in use")
    outside = serve(Public, ("127.0.0.1", 0), tunnel)
    note = Path(f"{ME}.public.new")
    note.write_text(f"127.0.0.1:{outside.server_address[1]}", encoding="utf-8")
    shutil.move(note, f"{ME}.public")
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: None if knobs().get("ignore_sigterm") else done.set())
    signal.signal(signal.SIGINT, lambda *_: done.set())
    threading.Thread(target=tunnel.live, daemon=True).start()
    done.wait()
    tunnel.stopping = True
    log("info", "Initiating graceful shutdown due to signal terminated ...")
    log("error", "no more connections active and exiting")


if __name__ == "__main__":
    main()
