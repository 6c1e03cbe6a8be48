"""The index and the neighbour graph of a gallery."""
