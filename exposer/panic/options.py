"""The kill switch's command line, taken apart by hand: an argument parser would cost more time than the cut."""

HELP = """Usage: exposer panic [OPTIONS]

  Take every exposure of this user offline now. Never asks.

  The lock is set first, so that nothing starts again; then the tunnel, the
  gateway and the backend are cut, every key is withdrawn, and it is proved
  that nothing answers any more. `exposer unlock` lifts the lock. What already
  waits in the kernel's connections is destroyed too, where you may (as root or
  with CAP_NET_ADMIN); else it is said how many bytes may still leave.

Options:
  --reason TEXT               Why, for the incident report.
  --backend stop|pause|keep   What becomes of the backend (default: as configured, else stop).
  --name NAME                 Only this exposure; the others stay as they are.
  --drill                     Practise: the real cut on what runs, measured, and back again with the same
                              keys. When anything of it fails, it stays cut and locked.
  --no-verify                 Do not prove the result.
  --json                      Print one JSON document.
  -q, --quiet                 Print nothing but errors.
  -h, --help                  Show this message and exit.
"""
TAKES_VALUE = ("--reason", "--backend", "--name", "-f", "--file")
FLAGS = ("--no-verify", "--json", "-q", "--quiet", "-v", "--verbose", "--no-color", "--drill")


class Options:
    """What was asked for; `error` is a sentence when it cannot be understood."""

    def __init__(self, argv: list[str]) -> None:
        self.values: dict[str, str] = {}
        self.flags: set[str] = set()
        self.error = ""
        words = iter(argv)
        for word in words:
            name, has_value, value = word.partition("=")
            if name in TAKES_VALUE:
                self.values[name] = value if has_value else next(words, "")
            elif word.startswith("-f") and len(word) > 2:
                self.values["-f"] = word[2:]
            elif word in FLAGS:
                self.flags.add(word)
            elif word in ("-h", "--help"):
                self.flags.add("--help")
            else:
                self.error = f"no such option: {word}"
        if self.backend not in ("", "stop", "pause", "keep"):
            self.error = f"--backend is stop, pause or keep, not {self.backend!r}"
        name = self.values.get("--name", "one")
        if not name or "/" in name or name.startswith("."):
            self.error = f"--name takes the name of an exposure, not {name!r}"

    @property
    def reason(self) -> str:
        return self.values.get("--reason", "")

    @property
    def drill(self) -> bool:
        return "--drill" in self.flags

    @property
    def backend(self) -> str:
        return self.values.get("--backend", "")
