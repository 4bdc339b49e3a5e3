"""The replay beside the console: in a thread, with a bar in the terminal; Ctrl-C ends both."""

import threading

from rich.markup import escape

from ms5ops.cli.progress import filling
from ms5ops.cli.terminal import narration
from ms5ops.errors import Ms5opsError
from ms5ops.replay import replay as replays

PATIENCE_S = 5.0


class Replayer:
    """Replays months of factory life while the console runs."""

    def __init__(self) -> None:
        self._stop = replays.Stop()
        self._shown = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ms5ops replay", daemon=True)

    def start(self) -> None:
        """Begin; returns when the first month is there (or the replay has failed), so that pages have data to show."""
        narration.print(
            "Replaying months of factory life in the sandbox, with Phase 4 in the middle: a minute or two. The pages"
            " can be used meanwhile; --no-replay skips it."
        )
        self._thread.start()
        self._shown.wait()

    def stop(self) -> None:
        """End it soon. What was replayed so far is thrown away at the next start, which begins anew."""
        if self._thread.is_alive():
            self._stop.request()
            self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        try:
            with filling(narration, "Replaying") as report:
                replays.replay(report=report, stop=self._stop, began=self._shown.set)
        except replays.Interrupted as error:
            narration.print(f"{escape(error.happened)} {escape(error.next_step)}")
        except Ms5opsError as error:
            narration.print(f"[bold red]The replay ended:[/] {escape(error.happened)} {escape(error.next_step)}")
        finally:
            self._shown.set()
