"""Programs that exposer fetches on request: a pinned version, its checksum verified before it may ever run."""

import hashlib
import json
import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from exposer import files
from exposer.errors import ExposerError, MissingError, UsageError

VERSION = "2026.8.2"
_RELEASES = "https://github.com/cloudflare/cloudflared/releases/download"
# As Cloudflare publishes them with that release; of an archive it is the archive's.
_PINNED = {
    ("Linux", "x86_64"): (
        "cloudflared-linux-amd64",
        "fcfb02b575a52ca1af2e3267af4e1517bcdeb30ac48c834c69abaed3c0576ad2",
    ),
    ("Linux", "aarch64"): (
        "cloudflared-linux-arm64",
        "7747d94570fb390cf47dcb4f9555c193c6355cda9793f0d878d9049e5d6a7790",
    ),
    ("Darwin", "x86_64"): (
        "cloudflared-darwin-amd64.tgz",
        "f1727723c586500e2092368ae21871b3df7ddfd2cb097f22d81bee4a9c458bb4",
    ),
    ("Darwin", "arm64"): (
        "cloudflared-darwin-arm64.tgz",
        "9042c2c5d8b2de78e60f313d5fb31b6c5c1cebde787a3caf1f2c9588084ac442",
    ),
}
LARGEST = 200 * 1024 * 1024
_PROGRAM = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Progress = Callable[[int, int], None]  # bytes so far, and bytes in all (0 when that is not known)


@dataclass(frozen=True, slots=True)
class Source:
    """What to fetch: from where, and what it must be."""

    url: str
    sha256: str
    version: str


def pinned(system: str = "", machine: str = "") -> Source | None:
    """cloudflared for this machine; None when none is pinned for it."""
    machine = {"amd64": "x86_64", "x86-64": "x86_64"}.get(machine.lower(), machine) if machine else platform.machine()
    found = _PINNED.get((system or platform.system(), machine))
    return Source(f"{_RELEASES}/{VERSION}/{found[0]}", found[1], VERSION) if found else None


def chosen(url: str, sha256: str, version: str = "") -> Source:
    """What the user names: nothing is fetched without a checksum. Raises UsageError."""
    known = pinned()
    if not sha256 and not url and known is not None and version in ("", known.version):
        return known
    if not _SHA256.fullmatch(sha256.lower()):
        what = "no version is pinned for this machine" if known is None else "only the pinned version has a known one"
        raise UsageError(f"a SHA-256 checksum is needed ({what})", "give it with --sha256: Cloudflare's release has it")
    if version and not re.fullmatch(r"[0-9][0-9.]{2,20}", version):
        raise UsageError(f"{version!r} is no version", "such as 2026.8.2")
    if not url and known is None:
        raise UsageError("there is no download known for this machine", "give its address with --url")
    url = url or cast("Source", known).url.replace(f"/{VERSION}/", f"/{version or VERSION}/")
    if not url.startswith("https://"):
        raise UsageError("--url should begin with https://")
    return Source(url, sha256.lower(), version)


def folder() -> Path:
    """Where they are kept. No exposure can bear that name."""
    return Path(files.state_root(), ".bin")


def installed(name: str) -> str:
    """The program that was installed here, "" when none was. Raises MissingError for one that is not as it was."""
    try:
        said = json.loads(files.read_private(str(folder() / f"{name}.json")))
        path, wanted = folder() / str(said["file"]), str(said["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    try:
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == wanted
    except OSError:
        return ""
    if not same:
        raise MissingError(f"{path} is not what was installed there", f"remove it, then: exposer tunnel install {name}")
    return str(path)


def download(source: Source, show: Progress) -> Path:
    """Fetches it into a private file beside its later place; nothing has been verified yet. Raises ExposerError."""
    import requests

    try:
        with requests.get(source.url, stream=True, timeout=(10, 30)) as answer:
            if answer.status_code != 200:
                raise _offline(source, f"status {answer.status_code}")
            total = int(answer.headers.get("Content-Length") or 0)
            return _write(answer.iter_content(256 * 1024), lambda done: show(done, total))
    except (requests.RequestException, ValueError) as error:
        raise _offline(source, type(error).__name__) from error


def copy(path: str, show: Progress) -> Path:
    """The same for a file that the user brought along."""
    try:
        with Path(path).open("rb") as file:
            total = os.fstat(file.fileno()).st_size
            return _write(iter(lambda: file.read(256 * 1024), b""), lambda done: show(done, total))
    except OSError as error:
        raise MissingError(f"{path} cannot be read: {error.strerror}") from error


def install(name: str, got: Path, source: Source) -> str:
    """Verifies what was fetched, and only then makes it a program. `got` is gone afterwards. Raises ExposerError."""
    try:
        with got.open("rb") as file:
            is_now = hashlib.file_digest(file, "sha256").hexdigest()
        if is_now != source.sha256:
            raise _wrong(f"the checksum is {is_now}, not {source.sha256}: nothing was installed")
        program = _unpacked(got, name) if source.url.endswith((".tgz", ".tar.gz")) else got
        return _take_in(name, program, source)
    finally:
        got.unlink(missing_ok=True)


def _take_in(name: str, program: Path, source: Source) -> str:
    try:
        with program.open("rb") as file:
            begin = file.read(4)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not begin.startswith(_PROGRAM):
            raise _wrong("it is no program for this machine but a script or a page: nothing was installed")
        place = folder() / f"{name}-{digest[:16]}"
        program.chmod(0o700)
        program.rename(place)
        files.sync_dir(str(folder()))
        said = {"file": place.name, "sha256": digest, "version": source.version, "url": source.url}
        files.swap(str(folder() / f"{name}.json"), json.dumps(said).encode())
    finally:
        program.unlink(missing_ok=True)
    for old in folder().glob(f"{name}-*"):  # a program that runs goes on with its own file
        if old != place:
            old.unlink(missing_ok=True)
    return str(place)


def manual(source: Source) -> str:
    """The exact steps for a machine that cannot download it."""
    name = source.url.rpartition("/")[2]
    return (
        f"on a machine with internet: curl -LO {source.url}\n"
        f"bring {name} here, then: exposer tunnel install cloudflared --from {name}"
        + ("" if (known := pinned()) and known.sha256 == source.sha256 else f" --sha256 {source.sha256}")
        + f"\nit is taken only when its SHA-256 is {source.sha256}"
    )


def _write(chunks: Iterable[bytes] | Iterator[bytes], show: Callable[[int], None]) -> Path:
    try:
        files.private_dir(str(folder()))
    except files.NotPrivateError as error:
        raise ExposerError(str(error), f"if it is yours, close it: chmod 700 {error.path}") from error
    path, done = folder() / f".{os.urandom(8).hex()}.new", 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
                done += len(chunk)
                if done > LARGEST:
                    raise _wrong(f"it is larger than {LARGEST // 1024**2} MiB: nothing was installed")
                show(done)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
    return path


def _unpacked(archive: Path, name: str) -> Path:
    """The one file of that name in a verified archive."""
    import tarfile

    try:
        with tarfile.open(archive, "r:gz") as tar:
            member: Any = tar.getmember(name)
            content: IO[bytes] | None = tar.extractfile(member) if member.isfile() else None
            if content is None:
                raise _wrong(f"there is no file {name} in the archive: nothing was installed")
            return _write(iter(lambda: content.read(256 * 1024), b""), lambda done: None)
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise _wrong(f"there is no {name} in the archive: nothing was installed") from error


def _wrong(why: str) -> ExposerError:
    error = ExposerError(f"what came is not what was asked for: {why}", "get it anew from Cloudflare's release page")
    error.code = "checksum"
    return error


def _offline(source: Source, why: str) -> MissingError:
    return MissingError(f"{source.url} could not be had ({why})", manual(source))
