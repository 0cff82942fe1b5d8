"""A second client of a notebook's kernel, of which the notebook knows nothing."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient


class Console:
    """Asks the kernel behind a connection file, and leaves neither a cell nor a name nor history."""

    def __init__(self, connection_file: Path) -> None:
        self._client = BlockingKernelClient()
        self._client.load_connection_file(str(connection_file))
        self._client.start_channels(iopub=False, stdin=False, hb=False, control=False)

    def evaluate(self, expression: str, timeout: float) -> Any:
        """Return an expression's value as JSON carries it; what JSON does not know comes as its str()."""
        asked = f"__import__('json').dumps({expression}, default=str)"
        answer = self._ask("", {"answer": asked}, timeout)["user_expressions"]["answer"]
        assert answer["status"] == "ok", f"{expression}: {answer.get('ename')}: {answer.get('evalue')}"
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    def execute(self, code: str, timeout: float) -> None:
        """Run statements."""
        self._ask(code, {}, timeout)

    def close(self) -> None:
        """Close the sockets."""
        self._client.stop_channels()
        self._client.context.destroy(linger=0)

    def _ask(self, code: str, expressions: dict[str, str], timeout: float) -> dict[str, Any]:
        request = self._client.execute(
            code, silent=True, store_history=False, user_expressions=expressions, allow_stdin=False
        )
        while True:
            reply = self._client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == request:
                break
        content = reply["content"]
        assert content["status"] == "ok", f"{code}\n{content.get('ename')}: {content.get('evalue')}"
        return content
