"""Watches the config, own templates and a document in a file; says that something changed, not what."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

WRITES = {"modified", "created", "moved", "deleted", "closed"}


class _Handler(FileSystemEventHandler):
    def __init__(self, wanted: Callable[[Path], bool], tell: Callable[[], None]) -> None:
        self._wanted = wanted
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        paths = [event.src_path, getattr(event, "dest_path", "")]
        if event.event_type in WRITES and any(self._wanted(Path(str(path))) for path in paths if path):
            self._tell()


class Watch:
    """Watches single files through their folders (editors replace files), and whole folders with all below."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._observer: Any = None
        self._paths: tuple[frozenset[Path], frozenset[Path]] = (frozenset(), frozenset())

    def follow(self, watched_files: Iterable[Path], folders: Iterable[Path]) -> None:
        """From now on watches these. A kernel that cannot watch any more only costs the quick notice."""
        wanted = (frozenset(p.absolute() for p in watched_files), frozenset(p.absolute() for p in folders))
        if wanted == self._paths and self._observer is not None:
            return
        self.close()
        self._paths = wanted
        observer = Observer()
        exact, deep = wanted
        try:
            for folder in {path.parent for path in exact}:
                observer.schedule(_Handler(exact.__contains__, self._tell), str(folder))
            for folder in deep:
                observer.schedule(_Handler(lambda _: True, self._tell), str(folder), recursive=True)
            observer.start()
        except OSError:
            return
        self._observer = observer

    def close(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=2)
            self._observer = None
