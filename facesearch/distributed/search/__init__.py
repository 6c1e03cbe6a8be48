"""Searches scattered over parts of a gallery that no machine holds whole."""
