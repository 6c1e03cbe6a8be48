"""The album as plain values: people, faces, advice."""
