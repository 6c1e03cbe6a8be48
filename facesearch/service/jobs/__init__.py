"""Long work in processes of its own: in order, to be cancelled, continued after a crash."""
