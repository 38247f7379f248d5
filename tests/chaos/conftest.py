"""The same exposures as in the end-to-end tests."""

from tests.e2e.conftest import make_exposure as make_exposure
