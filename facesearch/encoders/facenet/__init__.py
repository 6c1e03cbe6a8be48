"""FaceNet checkpoints: Inception-ResNet-v1 as facenet-pytorch stores it."""
