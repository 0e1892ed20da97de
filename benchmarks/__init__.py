"""What recording costs: `python -m benchmarks.compare` and `python -m benchmarks.sustained`."""
