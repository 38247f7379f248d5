"""Keeps the record of a gateway as the supervisor does, until it is told to end: keep_record.py FOLDER JOURNAL."""

import signal
import sys
import threading
from pathlib import Path

from exposer.gateway.accesslog import AccessLog
from exposer.journal import Journal
from exposer.supervisor.recorder import Recorder, RecordRules

if __name__ == "__main__":
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    rules = RecordRules(1e9, 10**10, refuse=False)
    record = Recorder(AccessLog(sys.argv[1]), Journal(Path(sys.argv[2])), rules, print, lambda why: None, lambda: None)
    record.start()
    ended.wait()
