"""Published lists of networks: which are believed, which are kept, and what happens without one."""

import http.server
import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer import files
from exposer.gateway.ranges import AGAIN, DAY, FIXED, Ranges, RangesError, accept

NOW = 1_800_000_000.0


def text_of(*networks: str) -> bytes:
    entries = [{"ipv6Prefix" if ":" in n else "ipv4Prefix": n} for n in networks]
    return json.dumps({"creationTime": "2026-01-01", "prefixes": entries}).encode()


def many(count: int, first: int = 0) -> list[str]:
    return [f"198.51.{n // 16}.{n % 16 * 16}/28" for n in range(first, first + count)]


class Publisher:
    """Publishes a list on loopback."""

    def __init__(self) -> None:
        self.text, self.status, self.asked = text_of(*many(8)), 200, 0
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                owner.asked += 1
                self.send_response(owner.status)
                self.send_header("Content-Length", str(len(owner.text)))
                self.send_header("Location", "http://127.0.0.1:1/")
                self.end_headers()
                self.wfile.write(owner.text)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.sources = {"openai": f"http://127.0.0.1:{self._server.server_address[1]}/list.json"}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    made = Publisher()
    yield made
    made.close()


class TestAccept:
    def test_a_list_as_openai_publishes_it(self) -> None:
        assert accept(text_of("203.0.113.16/28", "198.51.100.0/24", "2606:4700::/32"), ()) == (
            *("198.51.100.0/24", "203.0.113.16/28"),
            "2606:4700::/32",
        )

    @pytest.mark.parametrize(
        "text",
        [
            *(b"", b"<html>", b"null", b"[]", b"{}", b'{"prefixes": []}', b'{"prefixes": 5}', b'{"prefixes": ["x"]}'),
            b'{"prefixes": [{"ipv4Prefix": "everywhere"}]}',
            b'{"prefixes": [{"ipv4Prefix": null}]}',
            b'{"prefixes": [{"other": "203.0.113.0/24"}]}',
            b"[" * 100_000,
            text_of("203.0.113.1/24"),
            text_of(*(f"{a}.{b}.0.0/24" for a in range(20, 46) for b in range(200))),
        ],
    )
    def test_what_is_no_list_is_refused(self, text: bytes) -> None:
        with pytest.raises(RangesError):
            accept(text, ())

    @pytest.mark.parametrize(
        "network",
        [
            *(
                "0.0.0.0/0",
                "8.0.0.0/7",
                "127.0.0.0/8",
                "127.0.0.1/32",
                "10.1.0.0/16",
                "192.168.1.0/24",
                "172.20.0.0/16",
            ),
            *("169.254.169.254/32", "100.64.0.0/10", "192.0.0.0/8", "224.0.0.0/8", "255.255.255.255/32"),
            *("::/0", "2000::/3", "2600::/12", "::1/128", "fc00::/16", "fe80::/32", "::ffff:0:0/96"),
        ],
    )
    def test_a_network_that_cannot_be_a_caller_s_makes_the_whole_list_doubtful(self, network: str) -> None:
        with pytest.raises(RangesError, match="no caller's network"):
            accept(text_of("203.0.113.0/28", network), ())

    @pytest.mark.parametrize(("before", "after", "good"), [(8, 4, True), (8, 16, True), (8, 3, False), (8, 17, False)])
    def test_a_list_that_changes_too_much_is_refused(self, before: int, after: int, good: bool) -> None:
        old = accept(text_of(*many(before)), ())
        if good:
            assert len(accept(text_of(*many(after)), old)) == after
        else:
            with pytest.raises(RangesError, match="at once"):
                accept(text_of(*many(after)), old)

    def test_one_wide_network_among_narrow_ones_is_not_overlooked(self) -> None:
        with pytest.raises(RangesError, match="addresses"):
            accept(text_of(*many(8), "23.0.0.0/12"), accept(text_of(*many(8)), ()))

    @given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
    def test_nothing_that_is_sent_does_any_harm(self, text: bytes) -> None:
        with pytest.raises(RangesError):
            accept(text, ())


class TestRanges:
    def test_it_is_off_by_default_and_asks_nobody(self, tmp_path: Path) -> None:
        ranges = Ranges(tmp_path, ())
        assert ranges.networks() is None
        assert (ranges.trouble(), ranges.due(NOW), ranges.refresh(NOW)) == ("", False, "")

    def test_networks_and_fixed_names_need_no_list(self, tmp_path: Path) -> None:
        ranges = Ranges(tmp_path, ("203.0.113.0/24", "anthropic"))
        assert ranges.networks() == ("203.0.113.0/24", *FIXED["anthropic"])
        assert not ranges.due(NOW)

    def test_without_a_list_nobody_of_that_name_gets_in_and_that_is_said(self, tmp_path: Path) -> None:
        ranges = Ranges(tmp_path, ("openai",), {"openai": "http://127.0.0.1:1/list.json"})
        with pytest.raises(RangesError, match="openai"):
            ranges.refresh(NOW)
        assert ranges.networks() == ()
        assert "nobody from openai gets in" in ranges.trouble()
        assert not ranges.due(NOW + 1)
        assert ranges.due(NOW + AGAIN)
        assert ranges.due(NOW - DAY)  # a clock that was set back

    def test_a_list_is_read_once_a_day_and_kept_private_over_a_restart(
        self, tmp_path: Path, publisher: Publisher
    ) -> None:
        ranges = Ranges(tmp_path, ("openai", "203.0.113.0/24"), publisher.sources)
        assert "8 networks" in ranges.refresh(NOW)
        assert ranges.networks() == (*accept(publisher.text, ()), "203.0.113.0/24")
        assert stat.S_IMODE(ranges.path.stat().st_mode) == 0o600
        again = Ranges(tmp_path, ("openai",), publisher.sources)
        assert again.networks() == accept(publisher.text, ())
        assert (again.trouble(), again.known()["openai"].at) == ("", NOW)
        assert [again.due(NOW + t) for t in (0, DAY - 1, DAY)] == [False, False, True]
        assert again.refresh(NOW + DAY) == ""
        assert (publisher.asked, again.known()["openai"].at) == (2, NOW + DAY)

    @pytest.mark.parametrize("status", [404, 500, 302])
    def test_what_is_refused_leaves_the_last_good_list_in_force(
        self, tmp_path: Path, publisher: Publisher, status: int
    ) -> None:
        ranges = Ranges(tmp_path, ("openai",), publisher.sources)
        ranges.refresh(NOW)
        before = ranges.networks()
        for broken in (text_of("0.0.0.0/0"), text_of(*many(3)), b""):
            publisher.text = broken
            with pytest.raises(RangesError, match="openai"):
                ranges.refresh(NOW + DAY)
        publisher.text, publisher.status = text_of(*many(9)), status
        with pytest.raises(RangesError, match=str(status)):
            ranges.refresh(NOW + DAY)
        assert ranges.networks() == before
        publisher.status = 200
        assert "9 networks" in ranges.refresh(NOW + DAY)

    @pytest.mark.parametrize("left", [b"", b"{", b'{"lists": {"openai": {"networks": ["0/0/0"], "at": 1}}}', b"[]"])
    def test_a_damaged_file_lets_nobody_in(self, tmp_path: Path, publisher: Publisher, left: bytes) -> None:
        ranges = Ranges(tmp_path, ("openai",), publisher.sources)
        ranges.refresh(NOW)
        files.swap(str(ranges.path), left)
        assert ranges.networks() == ()
        assert ranges.trouble()
        assert ranges.due(NOW + AGAIN)
        ranges.refresh(NOW + AGAIN)
        assert len(ranges.networks() or ()) == 8

    def test_a_symlink_in_its_place_is_not_followed(self, tmp_path: Path, publisher: Publisher) -> None:
        ranges = Ranges(tmp_path, ("openai",), publisher.sources)
        ranges.refresh(NOW)
        (tmp_path / "elsewhere").write_bytes(ranges.path.read_bytes())
        ranges.path.unlink()
        ranges.path.symlink_to(tmp_path / "elsewhere")
        assert Ranges(tmp_path, ("openai",), publisher.sources).networks() == ()
