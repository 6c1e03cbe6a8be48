"""The networks of the FaceNet paper, for training."""
