"""Keys that are nearly right."""


def spoiled(key: str) -> str:
    """The key with another last letter: never the key itself, whatever that ends in."""
    return key[:-1] + ("y" if key.endswith("x") else "x")
