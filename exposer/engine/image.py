"""Images: there already, pulled with progress, or made out of this machine's own nginx."""

import base64
import contextlib
import hashlib
import io
import json
import re
import shutil
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exposer import files, procs
from exposer.engine.client import reason
from exposer.engine.context import context
from exposer.errors import ExposerError, MissingError

if TYPE_CHECKING:
    from docker import DockerClient

Tell = Callable[[str], None]

NGINX_IMAGE = "nginx:1.28-alpine"
IMAGE_LABEL, FROM_LABEL = "io.exposer.image", "io.exposer.from"
MIME_TYPES = "/etc/nginx/mime.types"
ACCOUNTS = {
    "etc/passwd": b"root:x:0:0:root:/:/none\nnobody:x:65534:65534:nobody:/:/none\n",
    "etc/group": b"root:x:0:\nnobody:x:65534:\nnogroup:x:65534:\n",
}


def ensure(client: "DockerClient", reference: str, tell: Tell) -> str:
    """The id of an image that is here, pulled first when it has to be. Raises MissingError."""
    from docker.errors import APIError

    if found := local(client, reference):
        return found
    tell(f"pulling {reference}")
    try:
        progress = Progress(tell, reference)
        for event in client.api.pull(reference, stream=True, decode=True):
            if "error" in event:
                raise why_not(reference, str(event["error"]))
            progress.hear(event)
    except APIError as error:
        raise why_not(reference, reason(error)) from error
    if found := local(client, reference):
        return found
    raise MissingError(f"the image {reference} was pulled, yet the engine does not have it")


def local(client: "DockerClient", reference: str) -> str:
    """The id of a local image, or "" when there is none of that name."""
    from docker.errors import APIError, ImageNotFound

    try:
        return str(client.images.get(reference).id)
    except ImageNotFound:
        return ""
    except APIError as error:
        raise ExposerError(f"the image {reference} cannot be used: {reason(error)}") from error


def why_not(reference: str, said: str) -> MissingError:
    """What a failed pull means, and what to do about it."""
    low = said.lower()
    if any(word in low for word in ("no such host", "dial tcp", "timeout", "unreachable", "connection refused")):
        return MissingError(
            f"the image {reference} is not here, and its registry cannot be reached",
            "go online, or load the image by hand (`docker load`, `docker build`)",
        )
    if "manifest unknown" in low or "manifest for" in low or low.startswith("not found"):
        return MissingError(f"the image {reference} does not exist", "check its name and tag")
    if any(word in low for word in ("denied", "unauthorized", "authentication")):
        return MissingError(
            f"the image {reference} does not exist, or you may not pull it",
            "check its name; for a private one do `docker login` first",
        )
    return MissingError(f"the image {reference} cannot be pulled: {said}", "try `docker pull` by hand")


class Progress:
    """Turns the engine's many progress events into a short line now and then."""

    def __init__(self, tell: Tell, reference: str, now: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._reference, self._now = tell, reference, now
        self._layers: dict[str, tuple[int, int]] = {}
        self._done: set[str] = set()
        self._last = now()

    def hear(self, event: Mapping[str, Any]) -> None:
        """Takes one event; speaks at most every second."""
        layer, status = str(event.get("id", "")), str(event.get("status", ""))
        size = event.get("progressDetail") or {}
        if status == "Downloading" and size.get("total"):
            self._layers[layer] = (int(size.get("current", 0)), int(size["total"]))
        elif status in ("Pulling fs layer", "Waiting"):
            self._layers.setdefault(layer, (0, 0))
        elif status in ("Pull complete", "Already exists", "Download complete"):
            self._layers.setdefault(layer, (0, 0))
            self._layers[layer] = (self._layers[layer][1],) * 2
            if status != "Download complete":
                self._done.add(layer)
        if self._layers and self._now() - self._last >= 1.0:
            self._last = self._now()
            self._tell(f"pulling {self._reference}: {self}")

    def __str__(self) -> str:
        have, total = (sum(column) for column in zip(*self._layers.values(), strict=True))
        percent = f", {100 * have // total} %" if total else ""
        return f"{len(self._done)} of {len(self._layers)} layers{percent}"


def build(client: "DockerClient", folder: str, tag: str, tell: Tell) -> str:
    """The id of the image that a folder with a Dockerfile makes. Raises ExposerError with the last lines.

    exposer's own folders are not sent along where they lie in there: keys have no business in an image."""
    from docker.errors import APIError

    if not (Path(folder) / "Dockerfile").is_file():
        raise MissingError(f"there is no Dockerfile in {folder}", "backend.build is a folder that has one")
    before = local(client, tag)
    said: list[str] = []
    try:
        with context(folder, [files.state_root(), files.runtime_root()]) as sent:
            told = client.api.build(
                fileobj=sent, custom_context=True, tag=tag, rm=True, forcerm=True, decode=True, timeout=None
            )
            for event in told:
                if "error" in event:
                    raise _build_failed(folder, str(event["error"]), said)
                line = str(event.get("stream", "")).strip()
                if line:
                    said = [*said[-19:], line]
                if line.startswith("Step "):
                    tell(f"building: {line}")
    except APIError as error:
        raise _build_failed(folder, reason(error), said) from error
    built = local(client, tag)
    if before and before != built:
        with contextlib.suppress(APIError):  # the one before; somebody may still use it
            client.images.remove(before)
    return built


def _build_failed(folder: str, why: str, said: list[str]) -> ExposerError:
    lines = "".join(f"\n  {line}" for line in said)
    return ExposerError(
        f"building {folder} failed: {why.strip()}" + (f"; the last lines were:{lines}" if said else ""),
        "try `docker build` there by hand; an image built that way can be named in backend.image",
    )


def nginx_image(client: "DockerClient", wanted: str, binary: str, tell: Tell, modules: tuple[str, ...] = ()) -> str:
    """The image for our own nginx containers: the one that is wanted, else made of this machine's nginx (and of these
    modules of it), else the pinned default. Raises MissingError."""
    if wanted:
        return ensure(client, wanted, tell)
    program = shutil.which(binary or "nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    try:
        if program is not None:
            return _own_nginx(client, Path(program).resolve(), modules, tell)
    except ExposerError as error:
        tell(f"this machine's nginx cannot go into an image ({error.message})")
    if not local(client, NGINX_IMAGE):
        tell(f"no nginx on this machine for the engine to use: taking {NGINX_IMAGE}")
    return ensure(client, NGINX_IMAGE, tell)


def _own_nginx(client: "DockerClient", program: Path, modules: tuple[str, ...], tell: Tell) -> str:
    from docker.errors import APIError

    for image in client.api.images("exposer-nginx", filters={"label": f"{IMAGE_LABEL}=nginx"}):
        if _unchanged(str((image.get("Labels") or {}).get(FROM_LABEL, "")), program, modules):
            return str(image["Id"])
    content = program_files(program)
    for module in modules:
        content |= program_files(Path(module))
    stamp = _stamp([str(program), *sorted(f"/{path}" for path in content), MIME_TYPES])
    content[MIME_TYPES.lstrip("/")] = _bytes_or_empty(Path(MIME_TYPES))
    content |= ACCOUNTS
    said = procs.run([str(program), "-v"]).err
    version = match[1] if (match := re.search(r"/(\d[\d.]*)", said)) else "0"
    tag = f"{version}-{digest_of(content)}"
    before = local(client, f"exposer-nginx:{tag}")
    tell(f"making an image of this machine's nginx {version}")
    links = {} if program == Path("/usr/sbin/nginx") else {"usr/sbin/nginx": str(program)}
    client.api.import_image_from_data(
        make_tar(content, links, folders=("tmp",)),
        repository="exposer-nginx",
        tag=tag,
        changes=[f"LABEL {IMAGE_LABEL}=nginx {FROM_LABEL}={stamp}", "ENV PATH=/usr/sbin"],
    )
    if before:
        with contextlib.suppress(APIError):  # of the same files; somebody may still use it
            client.images.remove(before)
    return local(client, f"exposer-nginx:{tag}")


def _stamp(paths: list[str]) -> str:
    """What files are now, without reading them: one word for a label. Whatever changes one moves its times."""
    text = json.dumps([digest_of(ACCOUNTS), *((path, _looks(path)) for path in paths)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unchanged(stamp: str, program: Path, modules: tuple[str, ...] = ()) -> bool:
    """Whether an image was made of this program and these modules, and all that went into it is as it was."""
    try:
        known = json.loads(base64.urlsafe_b64decode(stamp + "=" * (-len(stamp) % 4)))
        paths = [str(path) for path, _ in known[1:]]
    except (ValueError, TypeError, IndexError):
        return False
    return paths[:1] == [str(program)] and {*modules} <= {*paths} and stamp == _stamp(paths)


def _looks(path: str) -> list[int]:
    try:
        info = Path(path).stat()
    except OSError:
        return []
    return [info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns]


def program_files(program: Path) -> dict[str, bytes]:
    """A program with what it needs to run alone: its libraries, their loader, the name look-up.

    Keys are paths without the leading slash, where the program expects them. Raises MissingError.
    """
    try:
        listed = procs.run(["ldd", str(program)])
    except (OSError, TimeoutError) as error:
        raise MissingError(f"cannot tell what {program} needs: {error}") from error
    if "not a dynamic executable" in listed.out + listed.err:
        return {str(program).lstrip("/"): program.read_bytes()}
    if listed.code != 0 or "not found" in listed.out:
        raise MissingError(f"cannot tell what {program} needs: {(listed.err or listed.out).strip()}")
    paths = [Path(found) for found in re.findall(r"(/\S+) \(0x", listed.out)]
    paths += [extra for path in paths if (extra := path.with_name("libnss_files.so.2")).exists()]
    return {str(path).lstrip("/"): path.read_bytes() for path in (program, *paths)}


def digest_of(content: Mapping[str, bytes]) -> str:
    """A short digest of files by path and content."""
    whole = hashlib.sha256()
    for path in sorted(content):
        whole.update(path.encode() + b"\0" + hashlib.sha256(content[path]).digest())
    return whole.hexdigest()[:12]


def make_tar(
    content: Mapping[str, bytes], links: Mapping[str, str] | None = None, folders: tuple[str, ...] = ()
) -> bytes:
    """A tar of root-owned, readable and runnable files; `links` maps a path to what it points to."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in sorted({*folders, *_parents([*content, *(links or {})])}):
            tar.addfile(_member(folder, tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755))
        for path, data in content.items():
            member = _member(path, tarfile.REGTYPE, 0o755)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for path, target in (links or {}).items():
            member = _member(path, tarfile.SYMTYPE, 0o777)
            member.linkname = target
            tar.addfile(member)
    return out.getvalue()


def _member(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode = kind, mode
    return member


def _parents(paths: Iterable[str]) -> set[str]:
    return {str(parent) for path in paths for parent in Path(path).parents if str(parent) != "."}


def _bytes_or_empty(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
