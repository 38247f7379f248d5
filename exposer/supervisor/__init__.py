"""The loop that makes the world as the config wants it."""
