"""What an author of an algorithm needs: the registry, the context of a run, config forms, signatures."""
