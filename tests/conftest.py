"""The same examples for everybody, so that a failure is one for all; EXPOSER_TEST_LUCK=1 looks for new ones."""

import os

from hypothesis import settings

settings.register_profile("steady", derandomize=True, database=None)
settings.register_profile("luck", derandomize=False)
settings.load_profile("luck" if os.environ.get("EXPOSER_TEST_LUCK") else "steady")
