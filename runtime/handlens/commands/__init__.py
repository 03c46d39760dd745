"""The runtime's own commands: inspect and check."""
