"""A MySQL-protocol server on loopback that answers each statement as another server was recorded to answer it."""

# pyright: reportMissingTypeStubs=false
# The library has its types in its code and no marker that says so.

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from mysql_mimic.errors import ErrorCode, MysqlError
from mysql_mimic.server import MysqlServer
from mysql_mimic.session import BaseSession
from mysql_mimic.variables import GlobalVariables, SessionVariables

Answers = dict[str, Any]


class _Session(BaseSession):
    """One connection."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.variables = SessionVariables(GlobalVariables())
        self.username: str | None = None
        self.database: str | None = None

    async def handle_query(self, sql: str, attrs: dict[str, str]) -> Any:
        """The rows that were recorded for it; an error where none were."""
        if re.match(r"(?i)(set|start|begin|commit)\b", sql):
            return [], []
        known = self._answers.get(sql) or self._answers.get(re.sub(r" WHERE .*", "", sql))
        if known is None:
            raise MysqlError(f"nobody asked {sql[:80]!r} then", code=ErrorCode.UNKNOWN_ERROR)
        return [tuple(row) for row in known["rows"]], known["columns"]


class RecordedSql:
    """The server of one component; anybody may log in."""

    def __init__(self, file: Path) -> None:
        answers: Answers = json.loads(file.read_text("utf-8"))["statements"] if file.exists() else {}
        self._server = MysqlServer(session_factory=lambda: _Session(answers))
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_ignored)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(listening.getsockname()[1])
        self._do(self._server.start_server(sock=listening, port=None))

    def close(self) -> None:
        """End it."""
        self._do(self._ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _ended(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


def _ignored(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Clients go away as they like."""
