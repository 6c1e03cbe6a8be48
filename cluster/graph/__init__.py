"""The k-nearest-neighbour graph that clustering works on."""
