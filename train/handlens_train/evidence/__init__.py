"""Evidence of a run: curves, CMC, t-SNE, triplets, mistakes, wins, times, ablations; all in RUN/evidence.

Each file draws one thing from plain arrays and an output path; `write_evidence` collects them behind one index.html.
Pictures hold images of people, so they belong in the run folder and never in git. matplotlib and scikit-learn are
imported when something is drawn.
"""

from handlens_train.evidence.write import write_evidence

__all__ = ["write_evidence"]
