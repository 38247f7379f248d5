#!/usr/bin/env python3
"""STAND-IN for cloudflared's account commands: login, create, list, route dns, cleanup, delete.

`install(folder)` puts a copy there; the account is `cloud.json` beside it. As the real one does, it writes its
certificate below HOME, ends with 0 when there was nothing to do, and prints route's success on standard error.
"""

import base64
import json
import os
import sys
import uuid
from pathlib import Path

ME = Path(os.path.abspath(sys.argv[0]))
CLOUD = ME.parent / "cloud.json"
NEVER = "0001-01-01T00:00:00Z"


def install(folder):
    """Returns the path of the program."""
    path = Path(folder, "cloudflared")
    text = Path(__file__).read_text(encoding="utf-8").split("\n", 1)[1]
    path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    path.chmod(0o755)
    save(Path(folder), {"tunnels": {}, "routes": {}, "token": "cf-api-token-of-tests", "deleted": []})
    return path


def save(folder, cloud):
    (folder / "cloud.json").write_text(json.dumps(cloud), encoding="utf-8")


def cloud_of(folder):
    return json.loads((Path(folder) / "cloud.json").read_text(encoding="utf-8"))


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def certificate(words):
    """What the certificate says; the origincert option is one of the tunnel command's."""
    if words[:1] != ["--origincert"]:
        fail("Error locating origin cert: client didn't specify origincert path")
    lines = Path(words[1]).read_text(encoding="utf-8").splitlines()
    if lines[0] != "-----BEGIN ARGO TUNNEL TOKEN-----" or lines[-1] != "-----END ARGO TUNNEL TOKEN-----":
        fail("Error decoding origin cert: no PEM block")
    known = json.loads(base64.b64decode("".join(lines[1:-1]), validate=True))
    if not known["zoneID"] or not known["apiToken"]:
        fail("Error decoding origin cert: Missing token in the certificate")
    return known, words[2:]


def login():
    path = Path(os.environ["HOME"], ".cloudflared", "cert.pem")
    if path.exists():
        print(f"You have an existing certificate at {path} which login would overwrite.", file=sys.stderr)
        sys.exit(0)
    print("Please open the following URL and log in with your Cloudflare account:\n\nhttps://dash.example/argotunnel")
    content = json.dumps({"zoneID": "0" * 32, "accountID": "1" * 32, "apiToken": cloud_of(ME.parent)["token"]})
    body = base64.b64encode(content.encode()).decode()
    path.write_text(f"-----BEGIN ARGO TUNNEL TOKEN-----\n{body}\n-----END ARGO TUNNEL TOKEN-----\n", encoding="utf-8")


def main():
    if sys.argv[1:2] == ["--version"]:
        print("cloudflared version STAND-IN (built never)")
        return
    words = sys.argv[2:]
    if words == ["login"]:
        login()
        return
    cert, words = certificate(words)
    cloud = cloud_of(ME.parent)
    if cert["apiToken"] != cloud["token"]:
        fail("REST request failed: unauthorized")
    match words:
        case ["create", "--credentials-file", path, name]:
            if name in cloud["tunnels"]:
                fail("failed to create tunnel: Create Tunnel API call failed: tunnel with name already exists")
            found = str(uuid.uuid4())
            cloud["tunnels"][name] = {"id": found, "connections": []}
            content = {"AccountTag": cert["accountID"], "TunnelSecret": "c2VjcmV0", "TunnelID": found}
            Path(path).write_text(json.dumps(content), encoding="utf-8")
            Path(path).chmod(0o400)
            print(f"Tunnel credentials written to {path}.\n\nCreated tunnel {name} with id {found}")
        case ["list", "--output", "json"]:
            rows = [{"name": n, "deleted_at": NEVER, **t} for n, t in cloud["tunnels"].items()]
            gone = [{"id": str(uuid.uuid4()), "name": n, "deleted_at": "2026-01-01"} for n in cloud["deleted"]]
            print(json.dumps([*rows, *gone]))
        case ["route", "dns", *_, name, _] if name not in cloud["tunnels"]:
            fail(f"{name} is neither the ID nor the name of any of your tunnels")
        case ["route", "dns", *more, name, host]:
            if cloud["routes"].get(host, name) != name and more != ["-f"]:
                fail("Failed to add route: code: 1003, reason: A CNAME record with that host already exists.")
            cloud["routes"][host] = name
            print(f"INF Added CNAME {host} which will route to this tunnel", file=sys.stderr)
        case ["cleanup", name]:
            cloud["tunnels"][name]["connections"] = []
        case ["delete", name]:
            name = next((n for n, t in cloud["tunnels"].items() if t["id"] == name), name)
            if cloud["tunnels"][name]["connections"]:
                fail("Cannot delete tunnel: it has active connections")
            del cloud["tunnels"][name]
            cloud["deleted"].append(name)
        case _:
            print("Incorrect Usage. flag provided but not defined: -x")
            return
    save(ME.parent, cloud)


if __name__ == "__main__":
    main()
