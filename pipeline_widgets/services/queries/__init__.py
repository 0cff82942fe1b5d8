"""Read models: what is looked at, as frozen values that are equal as long as nothing changed."""
