"""Model files: found in other packages or downloaded, checked by digest."""
