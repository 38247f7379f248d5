#!/usr/bin/env python3
"""STAND-IN for the ngrok v3 agent, for tests: what the real pyngrok needs, and a public side on loopback.

Copy it with `install(folder)`. Beside the copy lie `NAME.json` (the knobs, read again all the time) and
`NAME.public` (the address of the public side while it runs). Knobs, all optional:

    version   text                          auth      an ERR_NGROK code: the token is refused at the start
    open      an ERR_NGROK code: the endpoint is refused        unready  answers 503 to so many openings
    offline   true: no session while true   reconnect an ERR_NGROK code: refused when it comes back
    rival     a URL to list beside ours     stop      true: the owner pressed Stop in the dashboard
    silent    true: starts and says nothing raw       lines to log at the start
    deaf      true: passes over a traffic policy, as an agent that does not know the field would
    url       another address for our endpoint, as after a rebind
"""

import http.client
import http.server
import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import yaml

ME = Path(os.path.abspath(sys.argv[0]))


def install(folder, name="ngrok", **knobs):
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
    """One logfmt line."""
    words = [
        f"lvl={level}",
        f"msg={json.dumps(message)}",
        *(f"{k}={json.dumps(str(v))}" for k, v in more.items()),
    ]
    sys.stdout.write(f"t=2026-11-21T06:55:26+0000 {' '.join(words)}\n")
    sys.stdout.flush()


class Agent:
    def __init__(self, config):
        self.config = config["agent"] if str(config.get("version")) == "3" else config
        self.endpoints = {}
        self.online = False
        self.unready = int(knobs().get("unready", 0))
        self.over = threading.Event()

    def listed(self):
        rival = knobs().get("rival")
        extra = [{"name": "rival", "url": rival, "upstream": {"url": "file:///etc"}}] if rival else []
        moved = {"url": knobs()["url"]} if knobs().get("url") else {}
        return [*({**made, **moved} for made in self.endpoints.values()), *extra]

    def open(self, wish):
        """Status and answer of an opening."""
        if self.unready > 0:
            self.unready -= 1
            return 503, {
                "error_code": 104,
                "status_code": 503,
                "msg": "ngrok is not yet ready to start tunnels",
            }
        if code := knobs().get("open"):
            details = {"err": f"failed to start tunnel: it is refused.\r\n\r\nERR_NGROK_{code}\r\n"}
            return 502, {
                "error_code": 103,
                "status_code": 502,
                "msg": "failed to start tunnel",
                "details": details,
            }
        name = wish["name"]
        if name in self.endpoints:
            return 400, {
                "error_code": 102,
                "status_code": 400,
                "msg": "invalid tunnel configuration",
                "details": {},
            }
        url = wish.get("url") or "https://stand-in.ngrok-free.app"
        made = {"name": name, "uri": f"/api/endpoints/{name}", "url": url, "upstream": wish["upstream"]}
        self.endpoints[name] = made | {"metadata": wish.get("metadata", "")}
        if wish.get("traffic_policy") and not knobs().get("deaf"):
            self.endpoints[name]["traffic_policy"] = wish["traffic_policy"]
        log("info", "started tunnel", obj="tunnels", name=name, addr=wish["upstream"]["url"], url=url)
        return 201, self.endpoints[name]

    def live(self):
        """Loses its session and comes back, as the knobs say."""
        while not self.over.wait(0.02):
            now = knobs()
            if now.get("stop"):
                log("info", "received remote stop", obj="csess")
                log("info", "received stop request", obj="app")
                self.over.set()
            elif self.online and now.get("offline"):
                self.online = False
                log(
                    "eror",
                    "session closed, starting reconnect loop",
                    obj="csess",
                    err="read EOF from remote peer",
                )
            elif not self.online and now.get("offline"):
                code = now.get("reconnect")
                err = f"it is refused.\\r\\n\\r\\nERR_NGROK_{code}\\r\\n" if code else "dial tcp: connection refused"
                log("eror", "failed to reconnect session", obj="csess", err=err)
                self.over.wait(0.3)
            elif not self.online:
                self.connect()

    def connect(self):
        self.online = True
        log("info", "client session established", obj="csess")
        log("info", "tunnel session started", obj="tunnels.session")


class Api(http.server.BaseHTTPRequestHandler):
    """The agent's local API: no password, but a guard against foreign Host headers."""

    agent = None

    def log_message(self, *args):
        pass

    def answer(self, status, data=None):
        body = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        log("info", "start", pg=self.path, id="1")
        if self.headers.get("Host", "").rpartition(":")[0] not in ("127.0.0.1", "localhost"):
            return self.answer(401, {"status_code": 401})
        if self.path == "/api/endpoints":
            return self.answer(200, {"endpoints": self.agent.listed()})
        if self.path.startswith("/api/endpoints/"):
            made = self.agent.endpoints.get(self.path.rpartition("/")[2])
            return self.answer(200 if made else 404, made or {"status_code": 404})
        if self.path == "/api/tunnels":
            rows = [{"name": e["name"], "public_url": e["url"]} for e in self.agent.listed()]
            return self.answer(200, {"tunnels": rows, "uri": "/api/tunnels"})
        if self.path == "/api/status":
            status = "online" if self.agent.online else "reconnecting"
            return self.answer(200, {"status": status, "agent_version": "3.36.0", "session": {"legs": []}})
        return self.answer(404, {"status_code": 404})

    def do_POST(self):
        if self.headers.get_content_type() != "application/json":
            return self.answer(415)
        wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return self.answer(*self.agent.open(wish))

    def do_DELETE(self):
        found = self.agent.endpoints.pop(self.path.rpartition("/")[2], None)
        self.answer(204 if found else 404)


class Public(http.server.BaseHTTPRequestHandler):
    """What a visitor meets. ngrok's own answers carry `ngrok-error-code`, an origin's never."""

    protocol_version = "HTTP/1.1"
    agent = None

    def log_message(self, *args):
        pass

    def do_GET(self):
        log(
            "info",
            "join connections",
            obj="join",
            id="1",
            l="127.0.0.1:1",
            r=f"203.0.113.9:{self.client_address[1]}",
        )
        if not self.agent.online or not self.agent.endpoints:
            return self.say(404, b"endpoint offline", code=3200)
        agent = self.headers.get("User-Agent", "")
        if agent.startswith("Mozilla") and "ngrok-skip-browser-warning" not in self.headers:
            return self.say(200, b"<html>You are about to visit</html>", code=6024)
        upstream = next(iter(self.agent.endpoints.values()))["upstream"]["url"]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        origin = http.client.HTTPConnection(upstream.partition("://")[2], timeout=40)
        try:
            origin.request(self.command, self.path, body=body or None, headers=dict(self.headers))
            answer = origin.getresponse()
            return self.say(answer.status, answer.read(), answer.getheaders())
        except OSError:
            return self.say(502, b"", code=8012)
        finally:
            origin.close()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = do_GET

    def say(self, status, body, headers=(), code=0):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "ngrok-error-code"):
                self.send_header(name, value)
        if code:
            self.send_header("ngrok-error-code", f"ERR_NGROK_{code}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def serve(handler, address, agent):
    handler.agent = agent
    server = http.server.ThreadingHTTPServer(address, handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def refuse(code, token):
    """The end of an agent whose token is not taken: the texts of 105 and 107 repeat the token."""
    err = f"authentication failed.\\r\\nYour authtoken: {token}\\r\\n\\r\\nERR_NGROK_{code}\\r\\n"
    log("eror", "failed to auth", obj="csess", err=err)
    log("crit", "command failed", err=err)
    sys.stderr.write(f"ERROR:  authentication failed.\nERROR:  Your authtoken: {token}\nERROR:  ERR_NGROK_{code}\n")
    sys.exit(1)


def start(words):
    path = words[words.index("--config") + 1]
    agent = Agent(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    if knobs().get("silent"):
        threading.Event().wait()
    for line in knobs().get("raw", ()):
        print(line, flush=True)
    token = agent.config.get("authtoken", "")
    if "--authtoken" in words:
        token = words[words.index("--authtoken") + 1]
    if not token:
        refuse(4018, "")
    if code := knobs().get("auth"):
        refuse(code, token)
    host, _, port = agent.config["web_addr"].rpartition(":")
    try:
        serve(Api, (host, int(port)), agent)
    except OSError:
        log("crit", "command failed", err=f"listen tcp {host}:{port}: bind: address already in use")
        sys.exit(1)
    outside = serve(Public, ("127.0.0.1", 0), agent)
    note = Path(f"{ME}.public.new")
    note.write_text(f"127.0.0.1:{outside.server_address[1]}", encoding="utf-8")
    shutil.move(note, f"{ME}.public")
    log("info", "starting web service", obj="web", addr=f"{host}:{port}")
    agent.connect()
    signal.signal(signal.SIGTERM, lambda *_: agent.over.set())
    threading.Thread(target=agent.live, daemon=True).start()
    agent.over.wait()


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    words = sys.argv[1:]
    if words[:1] == ["--version"]:
        print(f"ngrok version {knobs().get('version', '3.36.0')}")
    elif words[:1] == ["start"] and "--none" in words:
        start(words)
    elif words[:2] == ["config", "add-authtoken"]:
        print(f"Authtoken saved to configuration file: {words[-1]}")
    else:
        sys.exit(f"ERROR: unknown command {words}")


if __name__ == "__main__":
    main()
