"""Tries the quickstart unattended: the right key, no key, what is not published, and the kill switch."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
EXPOSER = [str(Path(sys.executable).parent / "exposer"), "--file", str(HERE / "exposer.toml")]


def status(url: str, key: str = "") -> int:
    """The status of a GET, or 0 when nothing answers."""
    request = urllib.request.Request(url, headers={"X-API-Key": key} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def main() -> int:
    failed = 0

    def expect(what: str, got: object, wanted: object) -> None:
        nonlocal failed
        failed += got != wanted
        print(f"{'ok  ' if got == wanted else 'FAIL'}  {what}: {got}" + ("" if got == wanted else f", not {wanted}"))

    with tempfile.TemporaryDirectory(prefix="exposer-check-") as folder:
        env = os.environ | {"EXPOSER_STATE_DIR": f"{folder}/state", "EXPOSER_RUNTIME_DIR": f"{folder}/run"}

        def exposer(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run([*EXPOSER, *words], env=env, capture_output=True, text=True, timeout=180)

        try:
            up = exposer("up", "-d", "--json")
            expect("exposer up", up.returncode, 0)
            if up.returncode:
                print(up.stderr)
                return 1
            online = json.loads(up.stdout)
            url, key = online["public_url"], online["first_key"]["key"]
            expect("with the key", status(f"{url}/api/notes", key), 200)
            expect("without a key", status(f"{url}/api/notes"), 401)
            expect("with a wrong key", status(f"{url}/api/notes", key[:-8] + "aaaaaaaa"), 401)
            expect("what is not published", status(f"{url}/api/private", key), 404)
            expect("exposer panic", exposer("panic", "--reason", "quickstart check").returncode, 0)
            expect("after the panic", status(f"{url}/api/notes", key), 0)
            expect("up while locked", exposer("up", "-d").returncode, 6)
            expect("exposer unlock", exposer("unlock", "--yes", "sample").returncode, 0)
        finally:
            exposer("down", "--purge", "--yes")
    print("everything holds" if not failed else f"{failed} of the checks failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
