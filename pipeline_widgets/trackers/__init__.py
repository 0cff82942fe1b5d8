"""What other tools are told of runs: a module for each tool, found by its entry point."""
