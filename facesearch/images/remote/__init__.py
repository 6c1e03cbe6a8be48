"""Photos in buckets: addresses such as ``s3://bucket/folder``, listing and fetching objects."""
