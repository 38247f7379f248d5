"""Facts: what has happened to a part. The loop folds them into what it knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from exposer.openapi.model import Document, Operation, Publication
from exposer.procs import Entry
from exposer.state.model import Look


@dataclass(frozen=True, slots=True)
class Started:
    """A part runs. `adopted` when it ran already; `seconds` is how long the start took."""

    role: str
    entry: Entry
    adopted: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A running part has taken over a new wish."""

    role: str
    entry: Entry
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Stopped:
    """A part is gone because we wanted it so."""

    role: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A part is gone, and nobody asked for it. `fatal` and `wait` as in `Failed`."""

    role: str
    why: str
    fatal: bool = False
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """Something could not be done. `fatal` when trying again cannot help (with a `wait`: hardly,
    so not before that many seconds); `keeps` when the old one still runs."""

    role: str
    error: str
    hint: str = ""
    code: str = "failed"
    exit_code: int = 1
    fatal: bool = False
    keeps: bool = False
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Inspected:
    """A look at what must stay as it was: `seal` is FILES or CONTAINERS, `broken` a sentence for each that has not."""

    seal: str
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """A look at a running part. `at` is when it was taken (monotonic), where that may be long ago."""

    role: str
    look: Look
    at: float = float("inf")


@dataclass(frozen=True, slots=True)
class Documented:
    """The backend's document was read; `operations` are to be published, `hidden` is what else it names."""

    document: Document | None
    operations: tuple[Operation, ...]
    total: int
    hidden: tuple[Operation, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """The document for a public address stands in the state folder."""

    publication: Publication
    url: str


@dataclass(frozen=True, slots=True)
class Announced:
    """The own hook has been told of a new address; `before` is the last one that was announced. `error` is why it did
    not work."""

    url: str
    before: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that a worker wants noted."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The public address was asked from outside. `refuses` is False only when an answer came without a key; `hop` is
    where the way is broken: edge, agent or gateway."""

    url: str
    reachable: bool
    refuses: bool | None
    why: str = ""
    resolvable: bool = True
    hop: str = ""


@dataclass(frozen=True, slots=True)
class Waited:
    """The address of the tunnel that waits was asked from outside."""

    checked: Checked


@dataclass(frozen=True, slots=True)
class SelfTested:
    """A self-test has ended, after so many calls. `hole` is what was not refused, `trouble` what else is wrong, each a
    sentence; `passed` is the call with a key that got through, "" where none was made, and `why` says why. `opened`:
    the way from outside was open while it ran."""

    calls: int = 0
    hole: str = ""
    trouble: str = ""
    passed: str = ""
    why: str = ""
    opened: bool = True

    @property
    def ok(self) -> bool:
        return not (self.hole or self.trouble)


@dataclass(frozen=True, slots=True)
class Renewed:
    """The lists of callers' networks were read; `what` has changed, "" for nothing."""

    what: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the keeper of the record has to say: an event, and the trouble that it is in from now on ("" for none)."""

    kind: str
    text: str
    trouble: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Down:
    """It is to be taken offline; `hurried` when somebody who says so again does not want to wait for running calls."""

    hurried: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """A person wants this tunnel to be the open one; `answer` is told why that cannot be, or ""."""

    role: str
    answer: Callable[[str], None]


Fact = (
    Started
    | Reloaded
    | Stopped
    | Gone
    | Failed
    | Inspected
    | Looked
    | Documented
    | Published
    | Announced
    | Noted
    | Recorded
    | Checked
    | Waited
    | SelfTested
    | Renewed
    | Down
    | Use
)
