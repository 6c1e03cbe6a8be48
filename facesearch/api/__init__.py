"""What each command does as one function; :mod:`facesearch` exports them under the same names."""
