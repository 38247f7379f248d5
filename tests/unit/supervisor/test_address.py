"""The public address: what is known of it is of this one, not of the one before."""

from exposer.state.facts import Checked
from exposer.state.model import TUNNEL, Phase, Unit
from exposer.supervisor.address import AddressPipeline
from exposer.supervisor.exposure import Exposure

A, B = "https://a.example", "https://b.example"


def test_a_late_look_at_the_address_before_is_not_taken_for_one_at_this_one() -> None:
    state = Exposure()
    state.url = A
    pipeline = AddressPipeline(state, None, lambda kind, text, **data: None, lambda failure: None, 60.0)  # type: ignore[arg-type]
    pipeline.take_checked(Checked(A, True, True))
    assert state.checked is not None
    state.units[TUNNEL] = Unit(TUNNEL, phase=Phase.UP, detail={"url": B})
    pipeline.follow(None, 1.0)  # type: ignore[arg-type]
    assert (state.url, state.checked) == (B, None)
    pipeline.take_checked(Checked(A, True, True))
    assert state.checked is None
    pipeline.take_checked(Checked(B, True, True))
    assert state.checked == Checked(B, True, True)
