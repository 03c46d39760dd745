"""Data set loaders: one file a data set, standard directory layouts, identity-disjoint splits."""
