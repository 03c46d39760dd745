"""The Pareto page: all trials of all sweeps, and what others have published."""
