"""The kill switch run by another user, who may not even look into the folders of Python: all is loaded before."""

import subprocess
import sys
from pathlib import Path

NOBODY = 65534
PROGRAM = f"""
import encodings.ascii, encodings.idna, encodings.latin_1, http.client, importlib, json, os, pkgutil, pwd, socket
import sqlite3, sys, urllib.parse
import exposer.panic
for module in pkgutil.iter_modules(exposer.panic.__path__):
    if module.name != "__main__":
        importlib.import_module(f"exposer.panic.{{module.name}}")
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
sys.exit(exposer.panic.main(sys.argv[1:]))
"""


def panic_as_nobody(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *argv], capture_output=True, text=True, timeout=120, cwd=Path("/"), check=False
    )
