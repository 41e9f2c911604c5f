"""The sections of the comparison, each of which can be run alone."""
