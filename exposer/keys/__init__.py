"""Keys: a pure ring and its encrypted file."""
