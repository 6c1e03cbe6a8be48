"""Losses of batches of vectors."""
