"""What is sent and received, as OpenAPI describes it."""
