"""`handlens report`: accuracy against size against latency, one HTML file that opens offline."""
