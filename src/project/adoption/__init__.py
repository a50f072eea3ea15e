"""A table of your own in place of the sample: what `kedro adopt` finds out about it, and what it writes."""
