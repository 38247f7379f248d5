from dataclasses import replace

import pytest

from exposer.config.model import Auth, Limits, Rate
from exposer.errors import ConfigError
from exposer.gateway import policy
from exposer.keys import ring as rings
from exposer.keys.model import Ring
from exposer.openapi.model import Operation
from exposer.secret import Secret
from tests.support.gateway import make_policy, op, with_decoy

UPSTREAM = "http://127.0.0.1:8080"


@pytest.fixture
def ring() -> Ring:
    ring = rings.new_ring()
    for label in ("one", "two"):
        ring, _ = rings.mint(ring, label, 0.0)
    return ring


def test_only_keys_that_pass_now_are_live_and_decoys_are_known(ring: Ring) -> None:
    made = make_policy(with_decoy(ring, "two"), UPSTREAM)
    assert [(passer.label, passer.passes) for passer in made.passers] == [("one", True), ("two", False)]
    assert made.live == {ring.keys[0].id}


def test_a_revoked_key_is_not_even_known(ring: Ring) -> None:
    ring, _ = rings.revoke(ring, "two", 5.0)
    assert [passer.label for passer in make_policy(ring, UPSTREAM).passers] == ["one"]


def test_a_retiring_key_passes_until_its_time_is_over(ring: Ring) -> None:
    ring, _, (old,) = rings.rotate(ring, "one", 0.0, grace=10.0)
    assert old.id in make_policy(ring, UPSTREAM, now=9.0).live
    assert old.id not in make_policy(ring, UPSTREAM, now=10.0).live


def test_concrete_paths_are_tried_before_templated_ones() -> None:
    routes, _ = policy.route([op("GET", "/{a}/{b}"), op("GET", "/a/{b}"), op("GET", "/a/b"), op("GET", "/a/v{b}")])
    assert [route.operation for route in routes] == ["GET /a/b", "GET /a/v{b}", "GET /a/{b}", "GET /{a}/{b}"]


@pytest.mark.parametrize(
    ("published", "hidden", "guarded"),
    [
        ("/items/{id}", "/items/export", True),
        ("/items/{id}", "/Items/Export", True),
        ("/{kind}/{id}", "/items/{id}", True),
        ("/a/{x}", "/{y}/b", True),
        ("/items/{id}", "/items/v{n}", True),
        ("/items/{id}", "/{kind}/{id}", False),
        ("/items/{id}", "/items/{other}", False),
        ("/items/export", "/items/{id}", False),
        ("/items/export", "/items/EXPORT", False),
        ("/items/{id}", "/items/{id}/x", False),
        ("/items/{id}", "/other/export", False),
    ],
)
def test_a_published_template_steps_back_for_a_hidden_call_that_may_be_meant(
    published: str, hidden: str, guarded: bool
) -> None:
    (route,), _ = policy.route([op("GET", published)], [op("GET", hidden), op("POST", "/items/other")])
    assert bool(route.guards) == guarded


def test_what_cannot_be_called_is_left_out_and_named() -> None:
    odd = [op("GET", "/a?b"), op("TRACE", "/x"), op("get it", "/x"), op("GET", "/" + "文" * 400)]
    routes, skipped = policy.route([*odd, op("get", "/fine")])
    assert [route.method for route in routes] == ["GET"]
    assert [name for name, _ in skipped] == [o.id for o in odd]


def test_an_operations_id_is_made_fit_for_a_line() -> None:
    (route,), _ = policy.route([Operation("a\nb\x00\ud800" + "x" * 500, "GET", "/a", "/a")])
    assert route.operation.startswith("a?b??x")
    assert len(route.operation) == 200


@pytest.mark.parametrize("name", ["", "X API", "X_Key", "1X", "X:Y", "Host", "content-length", "Cookie", "X\n", "ключ"])
def test_a_header_that_nginx_cannot_read_is_refused(ring: Ring, name: str) -> None:
    with pytest.raises(ConfigError, match=r"auth\.header"):
        make_policy(ring, UPSTREAM, auth=Auth(header=name))


@pytest.mark.parametrize(
    ("address", "scheme", "server"),
    [
        ("http://127.0.0.1:8080", "http", "127.0.0.1:8080"),
        ("http://backend/", "http", "backend:80"),
        ("https://api.internal", "https", "api.internal:443"),
        ("https://api.internal:8443", "https", "api.internal:8443"),
        ("http://[::1]:80", "http", "[::1]:80"),
        ("unix:up/backend.sock", "http", "unix:up/backend.sock"),
    ],
)
def test_backend_addresses(address: str, scheme: str, server: str) -> None:
    found = policy.parse_upstream(address)
    assert (found.scheme, found.server) == (scheme, server)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ftp://x",
        "http://",
        "http://a/b",
        "http://u:p@h",
        "http://h:99999",
        "http://a b",
        "http://a;b",
        "unix:",
        "unix:a:b",
        "unix:a\n",
        "http://h?x",
        "http://h#x",
        "http://$host",
    ],
)
def test_an_address_that_is_not_plainly_one_is_refused(address: str) -> None:
    with pytest.raises(ConfigError):
        policy.parse_upstream(address)


@pytest.mark.parametrize("value", ["", "a\nb", "a\r\nX: y", "a\x00", "x" * 5000, "a\ud800b-s3cr3t"])
def test_a_secret_that_cannot_be_sent_is_refused_without_being_quoted(ring: Ring, value: str) -> None:
    with pytest.raises(ConfigError, match=r"backend\.auth\.value") as error:
        make_policy(ring, UPSTREAM, upstream_auth=("Authorization", Secret(value)))
    assert not value or value not in error.value.message + error.value.hint
    assert error.value.__context__ is None


def test_a_rate_slower_than_can_be_counted_is_refused(ring: Ring) -> None:
    with pytest.raises(ConfigError, match=r"limits\.rate"):
        make_policy(ring, UPSTREAM, limits=Limits(rate=Rate(10, 3600)))
    assert make_policy(ring, UPSTREAM, limits=Limits(rate=Rate(60, 3600))).limits.rate.count == 60


def test_no_limit_on_the_body_is_no_way_to_say_no_body(ring: Ring) -> None:
    assert make_policy(ring, UPSTREAM, limits=Limits(body=0)).limits.body == 1


@pytest.mark.parametrize(
    "changes", [{"probe": "short"}, {"probe": "../" * 20}, {"probe_answer": "a\nb"}, {"upstream_host": "a b"}]
)
def test_what_makes_no_sense_is_refused(ring: Ring, changes: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        make_policy(ring, UPSTREAM, **changes)


def test_a_damaged_ring_is_refused(ring: Ring) -> None:
    with pytest.raises(ConfigError):
        make_policy(Ring("salt with spaces", ring.keys), UPSTREAM)


def test_a_wide_template_is_tried_after_the_longer_ones_that_begin_like_it() -> None:
    wide = [replace(op("GET", path), wide=("p",)) for path in ("/f/{p}", "/f/{p}/raw", "/f/{p}/{id}")]
    routes, _ = policy.route([*wide, op("GET", "/f/{id}")])
    assert [route.operation for route in routes] == ["GET /f/{id}", "GET /f/{p}/raw", "GET /f/{p}/{id}", "GET /f/{p}"]


def test_a_wide_template_steps_back_for_whatever_is_hidden_below_it() -> None:
    (route,), _ = policy.route([replace(op("GET", "/f/{p}"), wide=("p",))], [op("GET", "/f/a/b"), op("GET", "/g/a")])
    assert len(route.guards) == 1
    (route,), _ = policy.route([op("GET", "/f/a/b")], [replace(op("GET", "/f/{p}"), wide=("p",))])
    assert route.guards == ()


def test_an_operation_that_cannot_be_told_from_a_hidden_one_is_left_out() -> None:
    routes, skipped = policy.route([op("GET", "/a/{id}"), op("GET", "/b")], [op("GET", "/a/" + "文" * 400)])
    assert [route.operation for route in routes] == ["GET /b"]
    assert skipped == (("GET /a/{id}", "it cannot be told from one with a very long path that is not published"),)


def test_headers_are_added_to_the_operations_that_need_them(ring: Ring) -> None:
    inject = {"GET /v1/items": {"OCS-APIRequest": "true"}, "nobody": {"X-Other": "1"}}
    made = make_policy(ring, UPSTREAM, inject=inject)
    assert {route.operation: route.inject for route in made.routes if route.inject} == {
        "GET /v1/items": (("OCS-APIRequest", "true"),)
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("Cookie", "a=1"),
        ("X_Real_IP", "1"),
        ("X-Request-Id", "1"),
        ("Content-Length", "5"),
        ("X Y", "1"),
        ("", "1"),
        ("X", "a\nb"),
        ("X", ""),
        ("X", "é"),
        ("X", "a" * 4000),
    ],
)
def test_an_operation_that_needs_a_header_which_is_not_added_is_left_out(ring: Ring, name: str, value: str) -> None:
    made = make_policy(ring, UPSTREAM, inject={"GET /v1/items": {name: value}})
    assert "GET /v1/items" not in [route.operation for route in made.routes]
    assert [id_ for id_, _ in made.skipped] == ["GET /v1/items"]


def test_a_header_with_a_secret_is_never_overruled_by_the_document(ring: Ring) -> None:
    inject = {"GET /v1/items": {"authorization": "Bearer guess", "x-api-key": "guess"}}
    made = make_policy(ring, UPSTREAM, inject=inject, upstream_auth=("Authorization", Secret("s")))
    assert all(route.inject == () for route in made.routes)
    assert made.skipped == ()


def test_names_of_the_backend_that_are_none_are_not_looked_for(ring: Ring) -> None:
    made = make_policy(ring, UPSTREAM, own_hosts=("nas.lan:8443", "a b", "", 'x"; }', "x" * 300))
    assert made.own_hosts == ("nas.lan:8443",)
