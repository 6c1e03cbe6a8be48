"""A gallery kept in an object store: sent, fetched, and used through a copy on this machine."""
