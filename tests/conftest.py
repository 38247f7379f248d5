"""The same examples for everybody, so that a failure is one for all; EXPOSER_TEST_LUCK=1 looks for new ones. And the
same signals: what a shell starts in the background (`scripts/test &`) ignores Ctrl-C, and so would all it starts."""

import os
import signal

from hypothesis import HealthCheck, settings

# A machine that stands still for a moment is no finding.
PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("steady", derandomize=True, database=None, **PATIENT)
settings.register_profile("luck", derandomize=False, **PATIENT)
settings.load_profile("luck" if os.environ.get("EXPOSER_TEST_LUCK") else "steady")

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
