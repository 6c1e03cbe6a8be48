"""Forgetting: which faces are meant, what is left of them where, and proof that nothing is."""
