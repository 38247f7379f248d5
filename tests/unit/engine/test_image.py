"""Pull errors are explained, progress is told now and then, and tars hold what they should."""

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from exposer.engine import image
from exposer.errors import MissingError
from tests.support.eventually import eventually


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('Get "https://registry/v2/": dial tcp: lookup registry: no such host', "cannot be reached"),
        ("manifest for demo:9 not found: manifest unknown: manifest unknown", "does not exist"),
        ("pull access denied for demo, repository does not exist or may require 'docker login'", "may not pull"),
        ("unauthorized: authentication required", "may not pull"),
        ("something else", "something else"),
    ],
)
def test_a_failed_pull_says_what_it_means(said: str, told: str) -> None:
    error = image.why_not("demo:9", said)
    assert told in error.message
    assert "demo:9" in error.message
    assert error.hint


def test_progress_is_told_at_most_once_a_second() -> None:
    now = [0.0]
    told: list[str] = []
    progress = image.Progress(told.append, "demo", lambda: now[0])
    for layer in ("a", "b"):
        progress.hear({"id": layer, "status": "Pulling fs layer"})
    for done in range(10):
        progress.hear({"id": "a", "status": "Downloading", "progressDetail": {"current": done, "total": 100}})
    assert told == []
    now[0] = 1.5
    progress.hear({"id": "b", "status": "Downloading", "progressDetail": {"current": 41, "total": 100}})
    assert told == ["pulling demo: 0 of 2 layers, 25 %"]
    progress.hear({"id": "a", "status": "Pull complete"})
    assert str(progress) == "1 of 2 layers, 70 %"
    assert len(told) == 1


def test_progress_without_sizes_has_no_percent() -> None:
    progress = image.Progress(print, "demo")
    progress.hear({"id": "a", "status": "Already exists"})
    assert str(progress) == "1 of 1 layers"


def test_a_tar_has_folders_files_and_links_of_root() -> None:
    data = image.make_tar({"usr/bin/demo": b"hello"}, {"bin/sh": "/usr/bin/demo"}, folders=("tmp",))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {member.name: member for member in tar}
        assert set(members) == {"bin", "tmp", "usr", "usr/bin", "usr/bin/demo", "bin/sh"}
        assert members["tmp"].mode == 0o1777
        assert members["usr/bin/demo"].mode == 0o755
        assert all((member.uid, member.gid) == (0, 0) for member in members.values())
        assert members["bin/sh"].linkname == "/usr/bin/demo"
        demo = tar.extractfile("usr/bin/demo")
        assert demo is not None
        assert demo.read() == b"hello"


def test_the_digest_is_of_paths_and_contents() -> None:
    assert image.digest_of({"a": b"1", "b": b"2"}) == image.digest_of({"b": b"2", "a": b"1"})
    assert image.digest_of({"a": b"1"}) != image.digest_of({"a": b"2"})
    assert image.digest_of({"a": b"1"}) != image.digest_of({"b": b"1"})


@pytest.mark.skipif(shutil.which("ldd") is None, reason="no ldd on PATH")
def test_a_program_comes_with_its_libraries_and_their_loader() -> None:
    program = Path(shutil.which("sh") or "/bin/sh").resolve()
    found = image.program_files(program)
    assert str(program).lstrip("/") in found
    assert any("libc" in path for path in found)
    assert any("ld-" in path for path in found)


@pytest.mark.skipif(shutil.which("ldd") is None, reason="no ldd on PATH")
def test_what_needs_a_library_that_is_not_there_cannot_be_packed(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        image.program_files(tmp_path / "nothing")


def test_an_image_is_good_as_long_as_no_file_that_went_into_it_has_changed(tmp_path: Path) -> None:
    program, library = tmp_path / "nginx", tmp_path / "lib.so"
    program.write_bytes(b"1")
    library.write_bytes(b"2")
    made_of = image._stamp([str(program), str(library), str(tmp_path / "mime.types")])
    assert image._unchanged(made_of, program)
    assert not image._unchanged(made_of, library)
    before = library.stat()

    def rewrite() -> bool:
        library.write_bytes(b"3")
        os.utime(library, ns=(before.st_atime_ns, before.st_mtime_ns))
        return not image._unchanged(made_of, program)

    eventually(rewrite)  # the clock of some file systems has coarse steps
    library.unlink()
    assert not image._unchanged(made_of, program)
    for odd in ("", "x", "e30", "W10", made_of[:-4]):
        assert not image._unchanged(odd, program)
