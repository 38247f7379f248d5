"""How much harm an operation can do in the hands of an assistant, and why."""

from exposer.openapi.risk.verdict import operation_object, verdict, verdicts

__all__ = ["operation_object", "verdict", "verdicts"]
