"""The Docker engine room: a client with friendly errors, images, and containers that are on record first."""
