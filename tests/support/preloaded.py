"""What most commands load, for the server that the processes of tests are forked from."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "cv2",
    "faiss",
    "openvino",
    "facesearch.cli.main",
    "facesearch.clustering.run_store",
    "facesearch.embed",
    "facesearch.encoders.backends.openvino_backend",
    "facesearch.engine",
    "facesearch.recognition.identify",
    "facesearch.search.gallery_index",
    "indexer.build",
)
for name in MODULES:
    import_module(name)
