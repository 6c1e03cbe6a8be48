"""``facenet-small``: the network that this project trains, and its weights."""
