"""A JupyterLab of its own: nothing of the user's settings, files or kernels is seen or touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

import psutil

TESTS = Path(__file__).parent.parent
#: What of Jupyter's lives in folders of the user, and where it lives here.
FOLDERS = (
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "IPYTHONDIR",
)
LEFT_FOR = 300
OPTIONS = (
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port=0",
    "--IdentityProvider.token=",
    "--ServerApp.password=",
    "--ServerApp.disable_check_xsrf=True",
    "--ServerApp.open_browser=False",
    "--LabApp.expose_app_in_browser=True",
    # Should pytest be killed, then what it leaves ends by itself.
    f"--ServerApp.shutdown_no_activity_timeout={LEFT_FOR}",
    f"--MappingKernelManager.cull_idle_timeout={LEFT_FOR}",
    "--MappingKernelManager.cull_interval=5",
)
#: Without it JupyterLab asks, in the lower right corner, whether it may fetch news.
NO_NEWS = "JUPYTERLAB_SETTINGS_DIR/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
STARTS_IN = 60.0
ENDS_IN = 20.0


class Lab:
    """A JupyterLab server, from `with Lab(folder)` to the end of the block."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.runtime = folder / "JUPYTER_RUNTIME_DIR"
        self.url = ""
        self._log = folder / "jupyterlab.log"
        self._environment = {**os.environ, **{name: str(folder / name) for name in FOLDERS}}
        self._environment.pop("JUPYTER_PATH", None)
        # As pytest has it: kernels import the builders and the algorithms of the tests, too.
        self._environment["PYTHONPATH"] = os.pathsep.join([str(TESTS), str(TESTS / "support")])
        for name in FOLDERS:
            (folder / name).mkdir()
        self.root.mkdir()
        (folder / NO_NEWS).parent.mkdir(parents=True)
        (folder / NO_NEWS).write_text('{"fetchNews": "false", "checkForUpdates": false}', encoding="utf-8")

    def __enter__(self) -> Self:
        """Start the server, and wait until it answers."""
        command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={self.root}"]
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                command,
                cwd=self.root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.url = self._answers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the server, its kernels, and every process that a kernel left behind."""
        self._server.terminate()
        try:
            self._server.wait(ENDS_IN)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        strays = [process for process in psutil.process_iter() if self._is_ours(process)]
        for stray in strays:
            stray.kill()
        psutil.wait_procs(strays, ENDS_IN)

    def _answers(self) -> str:
        until = time.monotonic() + STARTS_IN
        while time.monotonic() < until and self._server.poll() is None:
            for told in self.runtime.glob("jpserver-*.json"):
                try:
                    url = str(json.loads(told.read_text(encoding="utf-8"))["url"]).rstrip("/")
                    urllib.request.urlopen(f"{url}/api", timeout=5).close()  # noqa: S310  our own server
                except (ValueError, KeyError, urllib.error.URLError):
                    continue
                return url
            time.sleep(0.02)
        raise RuntimeError(f"JupyterLab did not start:\n{self._log.read_text(encoding='utf-8')[-3000:]}")

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("JUPYTER_RUNTIME_DIR") == str(self.runtime)
        except psutil.Error:
            return False
