"""The gallery on disk: photos, faces and their vectors in shards."""
