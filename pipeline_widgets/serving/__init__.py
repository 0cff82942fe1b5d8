"""An agent's endpoint: the process that answers over HTTP, and what asks it."""
