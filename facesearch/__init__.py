"""Find every face in a folder of photos, tell who is who, and group faces into people.

Importing this package loads neither torch, faiss nor h5py: commands import what they need.
"""

__version__ = "0.1.0"
