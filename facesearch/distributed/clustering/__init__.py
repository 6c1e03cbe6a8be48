"""Clustering in partitions, each in the memory of one worker."""
