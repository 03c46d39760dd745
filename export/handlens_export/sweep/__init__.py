"""The search: many trials of compression, each in a process of its own, all results in one SQLite file."""
