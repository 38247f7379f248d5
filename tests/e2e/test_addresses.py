"""A list of addresses in front of a whole exposure."""

from collections.abc import Callable

import pytest

from tests.support.eventually import eventually
from tests.support.exposure import Exposure, sample_config
from tests.support.ports import free_port

pytestmark = pytest.mark.nginx


def test_a_list_comes_into_force_while_it_runs_and_never_stands_in_for_a_key(
    make_exposure: Callable[..., Exposure],
) -> None:
    config = sample_config(free_port())
    exposure = make_exposure(config + 'allow_from = ["127.0.0.0/8", "anthropic"]\n')
    exposure.up()
    path = exposure.status()["schema"]["example"]
    assert exposure.get(path).status == 200
    assert exposure.get(path, key="").status == 401
    exposure.write(config + 'allow_from = ["203.0.113.0/24"]\n')
    refused = eventually(lambda: (found := exposure.get(path)).status == 403 and found)
    assert refused.json()["status"] == 403
    eventually(lambda: [exposure.get(path).status for _ in range(20)] == [403] * 20)  # no worker of before is left
    assert exposure.get(path, key="").status in (401, 429)
    assert exposure.phase() == "online"
    rotated = exposure.run("rotate-key", "--json")
    assert rotated.returncode == 0, rotated.stderr
    exposure.write(config)
    eventually(lambda: exposure.get(path).status == 200, within=20)
