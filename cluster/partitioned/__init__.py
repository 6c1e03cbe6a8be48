"""Average linkage over a graph in partitions, each in the memory of one worker."""
