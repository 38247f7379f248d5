"""OpenAPI documents: read, choose operations, publish. Pure but for `read`."""
