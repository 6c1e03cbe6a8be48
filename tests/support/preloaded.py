"""What most commands load, for the server that the processes of tests are forked from."""

import cv2  # noqa: F401
import faiss  # noqa: F401
import openvino  # noqa: F401

import indexer.build  # noqa: F401
