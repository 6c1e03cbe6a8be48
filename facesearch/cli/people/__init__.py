"""Commands about people: their names and the decisions about them."""
