"""The matrix of engines and scenarios: `scripts/engines --help`."""
