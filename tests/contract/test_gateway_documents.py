"""Real documents behind the real gateway: whatever is published gets through, and nothing beside it does."""

import random
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exposer.config.model import Schema
from exposer.gateway.host import find_nginx
from exposer.openapi.declared import with_query
from exposer.openapi.model import Document, Operation
from exposer.openapi.operations import operations
from exposer.openapi.read import read
from exposer.openapi.select import choose
from tests.contract.test_documents import BIG, FOLDER, NAMES
from tests.support.echo import Echo
from tests.support.gateway import Gate, op
from tests.support.keepalive import KeepAlive
from tests.support.reference import wanted

pytestmark = [
    pytest.mark.nginx,
    pytest.mark.skipif(not find_nginx(), reason="nginx is not installed"),
    pytest.mark.skipif(not NAMES, reason="the folder with real documents is missing: set EXPOSER_TEST_DATA to it"),
]

# A document of our own, with a trap in every path.
TRAPS = (
    op("GET", "/rest/v{version}/x"),
    op("GET", "/{camera}/latest.{extension}"),
    op("GET", "/{camera}/latest.webp"),
    op("GET", "/repos/{base}...{head}"),
    op("GET", "/settings:batchGet"),
    op("POST", "/settings:batchGet"),
    op("GET", "/settings:{verb}"),
    op("GET", "/books/*/pages"),
    replace(op("GET", "/books/{id}/file/*"), wide=("*",)),
    op("GET", "/books/{id}/file"),
    replace(op("GET", "/static/**"), wide=("**",)),
    op("GET", "/static/secret/{x}"),
    replace(op("GET", "/contents/{+path}"), wide=("+path",)),
    replace(op("GET", "/contents/{+path}/raw.{ext}"), wide=("+path",)),
    op("GET", "/contents/admin/keys"),
    op("GET", "/contents/{one}"),
    replace(op("GET", "/repos/{a}/x/{b}/y"), wide=("a", "b")),
    op("GET", "/trailing/"),
    op("GET", "/trailing/{id}/"),
    op("GET", "/trailing/{id}/export"),
    op("GET", "/图书/{页}"),
    op("GET", "/$metadata"),
    op("GET", "/odata/items({id})"),
    op("GET", "/{enterprise-team}/x/{user_id}"),
    op("GET", "/Case/{id}"),
    op("GET", "/case/one"),
    op("DELETE", "/contents/{one}"),
)


@cache
def document(name: str) -> Document:
    return read(f"file:{FOLDER / name}", "", headers={})


@cache
def known(name: str) -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
    """What is published of a document by default but for the limit, and what is not."""
    if name == "traps":
        return TRAPS[::2], TRAPS[1::2]
    choices = choose(document(name), operations(document(name)), Schema(max_operations=0))
    published = tuple(choice.operation for choice in choices if choice.published)
    return published, tuple(choice.operation for choice in choices if not choice.published)


@contextmanager
def gateway(published: tuple[Operation, ...], hidden: tuple[Operation, ...]) -> Iterator[tuple[Gate, Echo, KeepAlive]]:
    """A gate before a backend that answers everything, and a connection with a good key."""
    with ExitStack() as stack:
        echo = Echo(dull=True)
        stack.callback(echo.close)
        root = Path(stack.enter_context(TemporaryDirectory()))
        gate = Gate(root, operations=published, hidden=hidden, upstream=echo.url)
        stack.callback(gate.close)
        gate.start()
        yield gate, echo, stack.enter_context(KeepAlive(gate.port, f"X-API-Key: {gate.keys['alice']}"))


GATES: dict[str, tuple[Gate, Echo, KeepAlive]] = {}


@pytest.fixture(scope="module", autouse=True)
def _gates() -> Iterator[None]:
    """One gate a document for all examples, closed when the module is done."""
    with ExitStack() as stack:
        STACK.append(stack)
        yield
        GATES.clear()
        STACK.clear()


STACK: list[ExitStack] = []


def gate_of(name: str) -> tuple[Gate, Echo, KeepAlive]:
    if name not in GATES:
        GATES[name] = STACK[0].enter_context(gateway(*known(name)))
    return GATES[name]


def slowly(names: list[str]) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.slow) if name in BIG else name for name in names]


@pytest.mark.parametrize("name", slowly(NAMES))
def test_each_published_operation_of_a_real_document_reaches_the_backend(name: str) -> None:
    gate, echo, line = gate_of(name)
    routes = gate.part.policy.routes
    assert gate.part.policy.skipped == ()
    assert len(routes) == len(known(name)[0])
    for route in routes:
        assert line.status(route.sample, route.method) == 200, route
        assert echo.heads[-1].startswith(f"{route.method} {route.sample} HTTP/1.1\r\n".encode())


@pytest.mark.slow
@pytest.mark.parametrize("name", slowly(NAMES))
def test_every_operation_of_a_document_at_once_reaches_the_backend(name: str) -> None:
    every = tuple(each for each in operations(document(name)) if each.method != "TRACE")
    strict = with_query(document(name), every)
    with gateway(strict, ()) as (gate, echo, line):
        routes = gate.part.policy.routes
        assert gate.part.policy.skipped == ()
        assert len(routes) == len(every)
        for route in routes:
            assert line.status(route.sample, route.method) == 200, route
            assert echo.heads[-1].startswith(f"{route.method} {route.sample} HTTP/1.1\r\n".encode())
            assert line.status(f"{route.sample}?exposer-undeclared=1", route.method) == 400, route


ODD_VALUES = """
    a 7 a.b a..b .hidden a%20b a%26b %E6%96%87 %f0%9f%98%80 export EXPORT * a,b a:b $x (1) a%2Fb a%252Fb a/b a%2F
    ..%2Fa a%2F..%2Fb a%252F.%252Fb a%2f%2Fb %2Fa a%2F%20b a%2F%2e
""".split()  # noqa: SIM905
NEAR_MISSES = (
    lambda path, at: path + "/",
    lambda path, at: path.rstrip("/"),
    lambda path, at: path + "x",
    lambda path, at: "/x" + path,
    lambda path, at: path.upper(),
    lambda path, at: path[:at] + path[at:].swapcase(),
    lambda path, at: path[:at] + "/" + path[at:],
    lambda path, at: path[:at] + ";a=b" + path[at:],
    lambda path, at: path[:at] + "..;" + path[at:],
    lambda path, at: path[:at] + "%2e" + path[at:],
    lambda path, at: path[:at] + "." + path[at:],
    lambda path, at: path[:at] + "/." + path[at:],
    lambda path, at: path[:at] + "/.." + path[at:],
    lambda path, at: path[:at] + "%2f" + path[at:],
    lambda path, at: path[:at] + "%252F" + path[at:],
    lambda path, at: path[:at] + "%25" + path[at:],
    lambda path, at: path[:at] + "%5c" + path[at:],
    lambda path, at: path[:at] + "\\" + path[at:],
    lambda path, at: path[:at] + "%20" + path[at:],
    lambda path, at: path[:at] + "%00" + path[at:],
    lambda path, at: path[:at] + "%c0%ae" + path[at:],
    lambda path, at: path[:at] + "%ef%bc%8f" + path[at:],
    lambda path, at: path[:at] + "".join(f"%{ord(c):02x}" for c in path[at : at + 1]) + path[at + 1 :],
    lambda path, at: path.replace("/", "%2F").replace("%2F", "/", 1),
    lambda path, at: path[: path.rindex("/")] or "/",
    lambda path, at: path + path,
)


@st.composite
def calls(draw: st.DrawFn, name: str) -> tuple[str, str]:
    """A path made of a template, with words of the document in its parameters, and perhaps a near miss of that."""
    published, hidden = known(name)
    chosen = draw(st.sampled_from(published if draw(st.booleans()) or not hidden else hidden))
    words = sorted({part for each in published + hidden for part in each.full_path.split("/") if part})
    value = st.sampled_from(ODD_VALUES) | st.sampled_from([word for word in words if "{" not in word] or ["a"])
    path = re.sub(r"\{[^{}/]*\}", lambda found: draw(value), chosen.full_path)
    path = "".join(f"%{b:02X}" if b > 0x7E else chr(b) for b in path.encode())
    for change in draw(st.lists(st.sampled_from(NEAR_MISSES), max_size=2)):
        path = change(path, draw(st.integers(1, max(1, len(path)))))
    return path, draw(st.sampled_from((chosen.method, chosen.method, "GET", "HEAD")))


@pytest.mark.parametrize("name", ["traps", *slowly(NAMES)])
def test_the_gateway_and_an_independent_reference_agree_on_every_near_miss(name: str) -> None:
    _, echo, line = gate_of(name)
    published, hidden = known(name)
    if not published:
        pytest.skip(f"nothing of {name} is published by default")

    @settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(calls(name))
    def agree(call: tuple[str, str]) -> None:
        target, method = call
        if method in ("TRACE", "CONNECT"):
            return
        before = len(echo.heads)
        status = line.status(target, method)
        assert status in wanted(target, method, published, hidden), (status, method, target)
        assert (len(echo.heads) > before) == (status == 200)
        assert status != 200 or echo.targets[-1] == target

    agree()


@pytest.mark.slow
def test_a_thousand_operations_that_look_alike_are_told_apart() -> None:
    rng = random.Random(7)
    words = [f"w{n}" for n in range(12)]
    paths = {
        "/" + "/".join(rng.choice((*words, "{x}", "v{x}", "{x}.json")) for _ in range(rng.randint(1, 5)))
        for _ in range(1200)
    }
    ops = tuple(op("GET", path) for path in sorted(paths))
    published, hidden = ops[::2], ops[1::2]
    with gateway(published, hidden) as (_, _, line):
        for _ in range(4000):
            template = rng.choice(ops).full_path
            path = re.sub(r"\{[^{}/]*\}", lambda _: rng.choice((*words, "a", "va", "a.json")), template)
            status = line.status(path)
            assert status in wanted(path, "GET", published, hidden), (status, path)
