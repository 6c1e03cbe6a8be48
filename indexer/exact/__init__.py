"""Exact nearest neighbours: brute force, and the same answers faster.

``brute_force`` is the oracle: numpy alone, over blocks that never are in memory together. Beside it
each processor has one search that is certain to give the same answers. On a GPU that is
``torch_search``. On a CPU it is ``int8_search``, of processors with AVX2 (and much faster with
VNNI), once enough is asked to pay for making the codes. FAISS serves the rest of an exact index
(:mod:`indexer.index.flat`): the first few searches, few vectors, and processors without AVX2, such
as ARM's: numpy answers batches several times slower (benchmarks/results/exact_search.json).
"""
