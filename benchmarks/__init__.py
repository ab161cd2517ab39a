"""Every published number: one command each, results kept as JSON in benchmarks/results."""
