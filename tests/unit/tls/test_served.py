"""The certificate of a public server: read anew when it changes, replaced as a whole, due in time."""

import base64
import hashlib
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import josepy.jwk
import pytest

from exposer.errors import ConfigError, ExposerError
from exposer.tls.authority import Pair
from exposer.tls.served import Served, check_served
from tests.support.certificates import self_signed

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
HOST = "api.example.com"


def test_what_is_kept_is_private_and_read_by_everybody_who_looks(tmp_path: Path) -> None:
    served, other = Served(tmp_path), Served(tmp_path)
    assert served.pair() is None
    assert other.due(NOW)
    pair = self_signed(HOST, NOW, 90)
    served.keep(pair)
    assert other.pair() == pair
    assert {stat.S_IMODE(path.stat().st_mode) for path in served.folder.iterdir()} == {0o600}
    newer = self_signed(HOST, NOW, 90)
    served.keep(newer)
    assert other.pair() == newer


def test_it_is_due_when_a_third_of_its_life_is_left(tmp_path: Path) -> None:
    served = Served(tmp_path)
    served.keep(self_signed(HOST, NOW, 90))
    assert not served.due(NOW + timedelta(days=57))
    assert served.due(NOW + timedelta(days=60))


def test_those_that_were_made_together_are_not_due_together(tmp_path: Path) -> None:
    def due(serial: int) -> int:
        """After how many hours."""
        served = Served(tmp_path / str(serial))
        served.keep(self_signed(HOST, NOW, 90, serial))
        return next(hours for hours in range(90 * 24) if served.due(NOW + timedelta(hours=hours)))

    assert [due(serial) for serial in (1024, 1024 + 512, 2047)] == [60 * 24, 60 * 24 - 36, 57 * 24 + 1]


def test_a_torn_file_of_ours_counts_as_none_and_is_asked_for_again(tmp_path: Path) -> None:
    served = Served(tmp_path)
    served.keep(self_signed(HOST, NOW, 90))
    for torn in (b"", b"{}", b'{"certificate": "x", "key": "y"}', b"\xff"):
        Path(served.paths[0]).write_bytes(torn)
        assert served.pair() is None
        assert served.due(NOW)


def test_own_files_that_do_not_belong_together_are_told_and_none_of_their_text_is(tmp_path: Path) -> None:
    one, other = (self_signed(HOST, NOW, 90) for _ in range(2))
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(one.certificate)
    key.write_text(other.key.reveal())
    served = Served(tmp_path, (str(chain), str(key)))
    with pytest.raises(ConfigError, match="belong together") as caught:
        served.pair()
    assert "PRIVATE" not in str(caught.value)
    put(key, one.key.reveal())
    assert served.pair() == one
    key.unlink()
    with pytest.raises(ConfigError, match="No such file"):
        Served(tmp_path, (str(chain), str(key))).pair()


@pytest.mark.parametrize(
    ("name", "fits"), [(HOST, True), ("*.example.com", True), ("example.com", False), ("*.com", False)]
)
def test_a_certificate_has_to_be_for_the_name(name: str, fits: bool, tmp_path: Path) -> None:
    served = Served(tmp_path)
    served.keep(self_signed(name, datetime.now(UTC) - timedelta(days=1), 90))
    assert served.covers(HOST) == fits
    if not fits:
        with pytest.raises(ConfigError, match=f"not for {HOST}"):
            check_served(served, HOST)


def test_a_certificate_that_has_ended_is_told(tmp_path: Path) -> None:
    served = Served(tmp_path)
    served.keep(self_signed(HOST, NOW - timedelta(days=300), 90))
    with pytest.raises(ExposerError, match="has ended on"):
        check_served(served, HOST)


def test_clock_skew_a_certificate_that_is_not_valid_yet_is_told_with_this_machines_time(tmp_path: Path) -> None:
    served = Served(tmp_path)
    served.keep(self_signed(HOST, datetime.now(UTC) + timedelta(days=1), 90))
    with pytest.raises(ExposerError, match=r"is not valid before .* this machine's clock says") as caught:
        check_served(served, HOST)
    assert "see: date" in caught.value.hint


def put(path: Path, text: str) -> None:
    """Another file in its place: one of the same size that is written over in the same tick of the kernel's clock looks
    the same."""
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("torn", "cannot be used"),
        ("another key", "cannot be used"),
        ("gone", "No such file"),
        ("ended", "has ended on"),
        ("not yet", "is not valid before"),
        ("another host", f"is not for {HOST}"),
    ],
)
def test_own_files_that_become_unfit_are_refused_with_the_last_good_pair_in_force(
    wrong: str, says: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"

    def write(host: str, begins: datetime, days: int = 90) -> Pair:
        pair = self_signed(host, begins, days)
        put(chain, pair.certificate)
        put(key, pair.key.reveal())
        return pair

    good = write(HOST, now - timedelta(days=1))
    served = Served(tmp_path, (str(chain), str(key)), HOST)
    assert served.pair() == good
    match wrong:
        case "torn":
            put(chain, good.certificate[:200])
        case "another key":
            put(key, self_signed(HOST, now, 9).key.reveal())
        case "gone":
            chain.unlink()
        case "ended":
            write(HOST, now - timedelta(days=100))
        case "not yet":
            write(HOST, now + timedelta(days=2))
        case "another host":
            write("other.example.com", now - timedelta(days=1))
    assert served.pair() == good
    assert says in served.refused
    assert served.advice(now) == (), "the other of the two files may come in a moment"
    assert served.advice(now + timedelta(minutes=1)) == (served.refused,)
    newer = write(HOST, now - timedelta(days=2))
    assert served.pair() == newer
    assert served.refused == ""


def test_a_near_end_and_a_renewal_that_fails_are_told(tmp_path: Path) -> None:
    served = Served(tmp_path)
    assert served.advice(NOW) == ()
    served.keep(self_signed(HOST, NOW, 90))
    assert served.advice(NOW + timedelta(days=74)) == ()
    assert "the certificate ends on" in served.advice(NOW + timedelta(days=76))[0]
    assert "has ended on" in served.advice(NOW + timedelta(days=91))[0]
    served.try_again_at(NOW.timestamp(), 3, "the authority refuses: too many")
    assert "the old one stays in force: the authority refuses: too many" in Served(tmp_path).advice(NOW)[0]
    assert Served(tmp_path).failures() == 3
    served.succeeded()
    assert Served(tmp_path).advice(NOW) == ()


def test_the_accounts_thumbprint_is_the_one_that_the_library_computes_and_stays(tmp_path: Path) -> None:
    served = Served(tmp_path)
    found = josepy.jwk.JWKRSA(key=served.account()).public_key().thumbprint()
    assert served.thumbprint() == base64.urlsafe_b64encode(found).rstrip(b"=").decode()
    assert Served(tmp_path).thumbprint() == served.thumbprint()
    assert len(found) == hashlib.sha256().digest_size


def test_the_next_try_is_remembered_and_a_torn_memory_hinders_nothing(tmp_path: Path) -> None:
    Served(tmp_path).try_again_at(1234.5)
    served = Served(tmp_path)
    assert served.next_try() == 1234.5
    place = served.folder / "next-try.json"
    for torn in ("", "[]", json.dumps({"at": None})):
        place.write_text(torn)
        assert served.next_try() == 0.0
