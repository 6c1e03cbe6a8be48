"""How sure clusters are, and what a person should look at."""
