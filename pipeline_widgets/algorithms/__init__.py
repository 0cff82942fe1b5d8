"""The tools of an author of algorithms: the registry, the context of a run, config forms, signatures."""
