"""The offline benchmark: metrics, suites of samples with known truth, runner and report."""
