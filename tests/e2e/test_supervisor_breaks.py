"""A mistake of our own in the supervisor: it ends, and takes along what it has started, or is just starting."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.exposure import Exposure, sample_config
from tests.support.ports import free_port
from tests.support.unlucky import left

pytestmark = pytest.mark.nginx

# Loaded by every Python of this exposure: the supervisor's status cannot be told from the so manieth time on.
BREAK = """
import importlib.machinery, os, sys

class Finder:
    def find_spec(self, name, path, target=None):
        if name != "exposer.supervisor.snapshot":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run, left = spec.loader.exec_module, [int(os.environ["BREAKS"])]

        def load(module):
            run(module)
            whole = module.snapshot

            def snapshot(*args):
                left[0] -= 1
                if left[0] <= 0:
                    raise ZeroDivisionError("a mistake of our own")
                return whole(*args)

            module.snapshot = snapshot

        spec.loader.exec_module = load
        return spec

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("at", range(1, 9))
def test_nothing_runs_on_when_the_supervisor_breaks(
    make_exposure: Callable[..., Exposure], tmp_path: Path, at: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAK)
    exposure = make_exposure(sample_config(free_port()))
    exposure.env |= {"PYTHONPATH": str(tmp_path), "BREAKS": str(at)}
    done = exposure.run("up", "-d")
    assert done.returncode == 1, done.stderr
    assert not (remains := left(exposure)), (remains, done.stderr)
