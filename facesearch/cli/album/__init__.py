"""Commands that group faces into people and show them."""
