"""What recording costs real pages: `python -m benchmarks.pages`."""
