"""The sample backend, but it listens on all addresses: $BIND, else 0.0.0.0."""

import os
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.sample_backend import Handler

ThreadingHTTPServer((os.environ.get("BIND", "0.0.0.0"), int(os.environ["PORT"])), Handler).serve_forever()
