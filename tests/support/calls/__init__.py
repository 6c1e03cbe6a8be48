"""Commands and functions called as users call them."""
