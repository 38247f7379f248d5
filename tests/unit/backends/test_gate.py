"""Secrets go through the gate exactly, whatever is in them; a real shell is the judge."""

import json
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exposer.backends import gate
from exposer.errors import ConfigError
from exposer.secret import Secret

SHELLS = [shell for shell in ("dash", "bash", "sh") if shutil.which(shell)]
SHOW = "import json, os; print(json.dumps({k: os.environ.get(k) for k in ('A', 'B')}))"


def through(secrets: dict[str, str], shell: str = "sh", marker: str = "e" * 32) -> dict[str, str]:
    data = gate.assignments({name: Secret(value) for name, value in secrets.items()}, marker)
    program = gate.entrypoint([sys.executable, "-I", "-S", "-c", SHOW], (shell,))
    done = subprocess.run(program, input=data, capture_output=True, check=True, timeout=120)
    assert done.stderr == b""
    return {name: value for name, value in json.loads(done.stdout).items() if value is not None}


@pytest.mark.parametrize("shell", SHELLS)
def test_hard_values_arrive_exactly(shell: str) -> None:
    secrets = {"A": 'it\'s "so" $HOME `id` $(id) \\ \\n \t*?~ #;&|<>\r\n\n end\n\n', "B": "é ü 漢字 'x'"}
    assert through(secrets, shell) == secrets


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=200))
def test_any_value_arrives_exactly(value: str) -> None:
    assert through({"A": value, "B": "after"}) == {"A": value, "B": "after"}


def test_a_shell_that_would_trace_is_told_not_to() -> None:
    program = gate.entrypoint(["/bin/true"], ("bash", "-x")) if "bash" in SHELLS else gate.entrypoint(["/bin/true"])
    data = gate.assignments({"A": Secret("s3cret")}, "m" * 32)
    done = subprocess.run(program, input=data, capture_output=True, check=True)
    assert b"s3cret" not in done.stderr


@pytest.mark.parametrize("name", ["A B", "1A", "A;id", "", "A=", "$(id)"])
def test_a_name_that_the_shell_would_misread_is_refused(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        gate.assignments({name: Secret("s3cret")}, "m")
    assert "s3cret" not in caught.value.message


def test_a_nul_byte_is_refused() -> None:
    with pytest.raises(ConfigError, match="NUL"):
        gate.assignments({"A": Secret("s3\0cret")}, "m")


def test_the_gate_is_constant() -> None:
    assert gate.entrypoint(["/program", "--flag"])[-2:] == ["/program", "--flag"]
    assert gate.SCRIPT in gate.entrypoint(["/program"])
