"""The wheel alone is a working exposer, templates inside; and the README's words are the program's."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.exposure import REPOSITORY, Exposure, get, sample_config
from tests.support.ports import free_port


@pytest.mark.slow
@pytest.mark.nginx
def test_the_wheel_in_an_empty_environment_brings_the_sample_online(tmp_path: Path, make_exposure) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "exposer/templates/nginx/nginx.conf.j2" in names
    assert not [name for name in names if name.startswith("tests/")]
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    constraints = ["-c", str(REPOSITORY / "requirements.lock")]
    install = [venv / "bin" / "python", "-m", "pip", "install", "--quiet", *constraints, wheel]
    subprocess.run(install, check=True, capture_output=True)
    exposure: Exposure = make_exposure(sample_config(free_port()))
    exposer = str(venv / "bin" / "exposer")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [exposer, "--file", str(exposure.file), *words]
        return subprocess.run(command, env=exposure.env, capture_output=True, text=True, cwd=tmp_path, timeout=120)

    done = run("up", "-d")
    assert done.returncode == 0, done.stderr
    url = run("url").stdout.strip()
    assert get(f"{url}/api/notes").status == 401
    panic = subprocess.run([venv / "bin" / "exposer-panic"], env=exposure.env, capture_output=True, text=True)
    assert panic.returncode == 0, panic.stderr
    assert get(f"{url}/api/notes").status == 0


def test_every_command_of_the_program_is_in_the_readme() -> None:
    from exposer.cli.root import COMMANDS

    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    missing = [name for name in COMMANDS if f"`{name}" not in readme and f"exposer {name}" not in readme]
    assert missing == []
