"""A machine behind ssh as a place to measure on: target.py sends the runtime there, shell.py is the connection."""
