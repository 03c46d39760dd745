"""The HTTP API and the page at `/` (extra `serve`). Start it with `handlens serve`."""
