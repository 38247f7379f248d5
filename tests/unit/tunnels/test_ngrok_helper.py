"""What the ngrok helper hands to the agent."""

import os
import sys
from pathlib import Path

import pytest
import yaml

from exposer.tunnels import ngrok
from exposer.tunnels.ngrok_helper import scrub_environment
from exposer.tunnels.ngrok_job import Job, agent_config, endpoint, read_job, wrapper

TOKEN = "2abcSecret: #'\"{token}"
JOB = Job("/opt/my tools/ngrok", TOKEN, "http://127.0.0.1:8000", "", "", "exposer:welink", "/state")


def test_the_agents_config_is_ours_in_every_point() -> None:
    agent = yaml.safe_load(yaml.safe_dump(agent_config(JOB, 4999)))["agent"]
    assert agent["authtoken"] == TOKEN
    assert agent["web_addr"] == "127.0.0.1:4999"
    assert agent["inspect_db_size"] == -1
    assert agent["update_check"] is False
    assert agent["metadata"] == "exposer:welink"


def test_the_endpoint_has_no_field_that_the_agent_could_drop_in_silence() -> None:
    assert endpoint(JOB) == {
        "name": "exposer",
        "upstream": {"url": "http://127.0.0.1:8000"},
        "metadata": "exposer:welink",
    }


def test_a_hostname_becomes_the_endpoints_url() -> None:
    from dataclasses import replace

    assert endpoint(replace(JOB, hostname="mine.ngrok.app"))["url"] == "https://mine.ngrok.app"


def test_a_traffic_policy_is_passed_on_as_it_is() -> None:
    from dataclasses import replace

    policy = "on_http_request:\n  - actions: [{type: deny}]\n"
    assert endpoint(replace(JOB, traffic_policy=policy))["traffic_policy"] == policy


def test_the_wrapper_quotes_what_it_runs_and_holds_no_secret() -> None:
    text = wrapper(JOB, 4711)
    assert text.startswith("#!/bin/sh\nexec ")
    assert "4711 '/opt/my tools/ngrok' \"$@\"" in text
    assert TOKEN not in text


def test_the_helpers_command_names_a_folder_and_nothing_else() -> None:
    assert ngrok.argv("/run/x") == [sys.executable, "-P", "-m", "exposer.tunnels.ngrok_helper", "/run/x"]


def test_tokens_and_proxies_of_the_environment_do_not_reach_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for name in ("NGROK_AUTHTOKEN", "NGROK_API_KEY", "PYNGROK_NGROK_PATH", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ[name] = "http://somewhere"
    scrub_environment()
    assert "http://somewhere" not in os.environ.values()
    assert os.environ["no_proxy"] == "127.0.0.1,localhost"


def test_the_job_is_gone_once_it_is_read(tmp_path: Path) -> None:
    import json
    from dataclasses import asdict

    path = tmp_path / "job.json"
    path.write_text(json.dumps(asdict(JOB)))
    assert read_job(tmp_path) == JOB
    assert not path.exists()
