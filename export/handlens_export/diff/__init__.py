"""Whether a new artifact is worse than an old one beyond noise: `handlens diff`.

compare.py measures, page.py shows.
"""
