"""What finds the vectors of a gallery: its index and its neighbour graph."""
