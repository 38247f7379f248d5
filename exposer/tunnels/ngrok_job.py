"""What the part asks of the ngrok helper, and what the helper asks of the agent. Pure but for `read_job`."""

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exposer import files
from exposer.tunnels import ngrok_agent

ENDPOINT = "exposer"


@dataclass(frozen=True, slots=True)
class Job:
    """What to do, as the part wrote it. The token is in the agent's private config file and nowhere else."""

    binary: str
    token: str
    upstream: str
    hostname: str
    region: str
    metadata: str
    state_dir: str
    traffic_policy: str = ""


def agent_config(job: Job, web_port: int) -> dict[str, Any]:
    """The agent's own config file: no inspection of visitors' requests, no updates, a port nobody expects."""
    agent = {
        "authtoken": job.token,
        "web_addr": f"127.0.0.1:{web_port}",
        "inspect_db_size": -1,
        "update_check": False,
        "console_ui": False,
        "metadata": job.metadata,
        "heartbeat_interval": "10s",
        "heartbeat_tolerance": "15s",
    }
    return {"version": 3, "agent": agent}


def endpoint(job: Job) -> dict[str, Any]:
    """The one endpoint that we ask the agent for. "localhost" would be tried as ::1 first."""
    wish: dict[str, Any] = {"name": ENDPOINT, "upstream": {"url": job.upstream}, "metadata": job.metadata}
    wish |= {"url": f"https://{job.hostname}"} if job.hostname else {}
    return wish | ({"traffic_policy": job.traffic_policy} if job.traffic_policy else {})


def wrapper(job: Job, helper: int) -> str:
    """The script that pyngrok runs in the agent's place; it ties the agent to us."""
    words = (sys.executable, "-I", "-S", str(Path(ngrok_agent.__file__).absolute()), str(helper), job.binary)
    return f'#!/bin/sh\nexec {" ".join(map(shlex.quote, words))} "$@"\n'


def read_job(folder: Path) -> Job:
    """The job; its file is removed, for it holds the token."""
    path = folder / "job.json"
    job = Job(**json.loads(files.read_private(str(path))))
    path.unlink()
    return job
