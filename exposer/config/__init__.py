"""The config: dataclasses that say what `exposer.toml` means, and the loader that reports every problem."""
