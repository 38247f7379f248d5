"""The two files between supervisor and guard."""

import os
from pathlib import Path

import pytest

from exposer.files import Places
from exposer.guard.lease import Lease, Terms, now
from exposer.procs import ProcessId


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    found = Places("one")
    found.prepare()
    return found


def test_what_one_side_renews_the_other_side_reads(places: Places) -> None:
    before = now()
    Lease(places).renew()
    assert before - 0.01 <= Lease(places).renewed() <= now() + 0.01
    assert Path(places.runtime, "lease").stat().st_mode & 0o777 == 0o600


def test_a_lease_that_is_gone_or_torn_was_not_renewed(places: Places) -> None:
    reader, path = Lease(places), Path(places.runtime, "lease")
    assert reader.renewed() == 0.0
    Lease(places).renew()
    last = reader.renewed()
    assert last > 0
    path.write_text("9999999")
    assert reader.renewed() == last
    for nonsense in ("nan", "inf"):  # which would never be over
        path.write_text(f"{nonsense:<23}\n")
        assert reader.renewed() == last
    path.unlink()
    assert reader.renewed() == last


def test_terms_come_back_as_they_were(places: Places) -> None:
    me = ProcessId.of(os.getpid())
    assert me is not None
    Lease(places).set_terms(Terms(me, 90.0, 5.0, 6.0, ["--file", "a b"]))
    found = Lease(places).terms()
    assert found is not None
    assert (found.supervisor, found.lease, found.ends, found.until) == (me, 90.0, 5.0, 6.0)
    assert found.argv == ("--file", "a b")


WHO = '"supervisor": {"pid": 5, "started": "1", "boot": "b"}, "argv": [], "ends": 0, "until": 0'
NONSENSE = [
    *(f'{{{WHO}, "lease": {lease}}}' for lease in ("NaN", "Infinity", "1e999", "1" + "0" * 400)),
    f'{{{WHO.replace("5", "Infinity")}, "lease": 90}}',
    f'{{{WHO}, "lease": 90, "until": NaN}}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"lease": 1}', '{"supervisor": 3}', *NONSENSE], ids=range(12))
def test_terms_that_make_no_sense_are_none(places: Places, text: str) -> None:
    Path(places.runtime, "lease.terms").write_text(text)
    assert Lease(places).terms() is None
