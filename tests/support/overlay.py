"""Own templates: ours with a change."""

from pathlib import Path

from exposer.render import templates_dir


def overlay(root: Path, name: str, old: str, new: str) -> str:
    """A folder with one own template: ours with a change."""
    text = (templates_dir() / "nginx" / name).read_text()
    assert old in text
    (root / "own" / "nginx").mkdir(parents=True)
    (root / "own" / "nginx" / name).write_text(text.replace(old, new))
    return str(root / "own")
