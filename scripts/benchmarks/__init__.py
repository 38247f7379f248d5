"""The figures of BENCH.md: one module each, all measured against something bare in the same run."""
