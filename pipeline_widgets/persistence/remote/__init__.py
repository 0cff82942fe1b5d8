"""Artifacts below a URL: objects by fsspec, folders made of them, and what interrupted uploads left."""
