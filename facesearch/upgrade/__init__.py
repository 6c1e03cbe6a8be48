"""A gallery's faces embedded again, with another encoder."""
