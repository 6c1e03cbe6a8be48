"""dlib's face recognition network, read from dlib's file format."""
