"""Time and memory against other programs, whole processes side by side: ``python -m tests.benchmarks --help``."""
