"""Prune, quantize, convert, gate and report: from a finished run to artifacts that earned their place."""
