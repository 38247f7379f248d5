"""The cut that the guard runs: the same as the kill switch's."""

from exposer.panic import cut_now


def cut(name: str, *, lock: bool, reason: str) -> None:
    """Takes everything of an exposure offline, this process spared. Without `lock` the keys stay what they are and the
    next `up` works. Never raises."""
    report = cut_now(name, lock=lock, reason=reason)
    for line in (*report["trouble"], *report["still_open"]):
        print(f"warning: {line}", flush=True)
