"""The k-nearest-neighbour graph of a collection as one file."""
