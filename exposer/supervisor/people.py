"""The people outside: everybody that `[notify]` names hears of what matters, and of nothing else."""

from exposer.notify.notice import Notice
from exposer.notify.outbox import Outbox
from exposer.state.facts import Noted
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.notices import phase_notice, why
from exposer.supervisor.ports import Rooms
from exposer.supervisor.world import World


class People:
    """Never blocks the loop. What could not be told comes back as a fact."""

    def __init__(self, rooms: Rooms, world: World) -> None:
        self._outbox = Outbox(lambda text: world.inbox.put(Noted("not-told", text)))
        self._told = ""
        self.follow(rooms)

    def follow(self, rooms: Rooms) -> None:
        """Takes a new config over."""
        self._name = rooms.name
        self._outbox.follow(rooms.destinations())

    def tell(self, kind: str, text: str, **data: object) -> None:
        """`kind` is a stable word for programs, `text` a sentence for people; neither may hold a secret."""
        self._outbox.put(Notice(self._name, kind, text, data))

    def hear_of_phase(self, state: Exposure, now: float) -> None:
        """Called in each cycle; `now` is in seconds since 1970."""
        notice = phase_notice(state.phase, state.since, self._told, now, why(state))
        if notice is not None:
            self._told = notice[0]
            self.tell(*notice, phase=state.phase, url=state.url)

    def close(self, within: float) -> None:
        """Waits a little for what is on its way."""
        self._outbox.close(within)
