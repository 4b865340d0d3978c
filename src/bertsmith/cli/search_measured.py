"""What `bertsmith search --qrels` prints for people."""

from typing import Any


def print_measured(measured: dict[str, Any]) -> None:
    """Print the figures with their intervals."""
    print(f"{measured['queries']:,} queries with judgements, {measured['rows']:,} texts, by {measured['by']}")
    for note in measured["notes"]:
        print(f"  {note}")
    for name, value in measured["metrics"].items():
        low, high = measured["intervals"].get(name, (value, value))
        print(f"  {name:12} {value:.4f}   95 % interval {low:.4f} to {high:.4f}")
    print(f"{measured['milliseconds_a_query']:.2f} ms a query")
