"""What `host pin` does with a pin's file and a host."""

from __future__ import annotations

import socket as sockets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from vgpu_migrate.cli import pin_types, pin_view
from vgpu_migrate.cli.answers import spell_range
from vgpu_migrate.cli.catalog_view import tell
from vgpu_migrate.cli.endings import say
from vgpu_migrate.cli.exit_status import NO, OUTSIDE
from vgpu_migrate.errors import InputError, OutsideError, Problem
from vgpu_migrate.hosts.pin import Difference, PinState, apply_pin, pin_state
from vgpu_migrate.hosts.protocol import Host
from vgpu_migrate.nvml import NotSupportedError, VersionRange
from vgpu_migrate.pinio import PIN_FILE, read_pin, remove_pin, require_range, write_pin

TRIED_EVERY_S = 1.0


class PinOrders:
    """The orders of one line: each does its work, and `status`, `apply` and `remove` answer.

    Args:
        socket: the simulated host that is meant; None: this machine's driver.
        file: where the pin is kept; None: at its usual place.
        as_json: answer in JSON.
    """

    def __init__(self, socket: str | None, *, file: str | None, as_json: bool) -> None:
        self._socket = socket
        self._file = Path(file) if file is not None else PIN_FILE
        self._as_json = as_json
        self._is_done = False
        """An order was carried out; how pin and truth stand then changes nothing of that."""
        self._has_changed = False

    def keep(self, bounds: tuple[int, int]) -> None:
        """Write a pin that the driver would take.

        Raises:
            InputError: it is no range, or not inside the driver's preset one; nothing is written.
            OutsideError: it cannot be written.
        """
        wanted = VersionRange(*bounds)
        require_range(wanted, place="--range")
        try:
            with self._opened() as (_, host):
                preset, _ = host.vgpu_versions()
        except OutsideError:
            # Why is told with the state that follows.
            say(f"note: {wanted} is kept unchecked: no vGPU driver answers")
        except NotSupportedError as error:
            say(f"note: {wanted} is kept unchecked: {error}")
        else:
            if not preset.covers(wanted):
                raise InputError(
                    Problem("--range", str(wanted), f"wanted a range inside the driver's preset {preset}")
                )
        self._has_changed = _read_if_good(self._file) != wanted
        write_pin(self._file, wanted)
        self._is_done = True

    def status(self) -> int:
        """Tell how pin and truth stand to each other.

        Raises:
            InputError: the pin's file cannot be read or understood.
        """
        pin = read_pin(self._file)
        try:
            with self._opened() as (name, host):
                status = self._tell(name, pin_state(host, pin), changed=self._has_changed)
        except OutsideError as error:
            say(str(error))
            self._tell(self._name(), None, changed=self._has_changed, pin=pin)
            status = OUTSIDE
        return 0 if self._is_done else status

    def apply(self, *, wait_s: float) -> int:
        """Put the pin that is kept in force, and tell how it stands then; without a pin nothing is done.

        Args:
            wait_s: seconds in which a driver that does not answer, or has no manager yet, is asked again.

        Raises:
            InputError: the pin's file cannot be read or understood.
            OutsideError: the driver does not answer.
        """
        pin = read_pin(self._file)
        if pin is None:
            return self.status()
        until = time.monotonic() + wait_s
        while True:
            is_last = time.monotonic() + TRIED_EVERY_S > until
            try:
                with self._opened() as (name, host):
                    state, is_set = apply_pin(host, pin)
                # When the host starts, the vGPU Manager may come later than the driver.
                if is_last or state.difference is not Difference.NOT_SUPPORTED:
                    break
            except OutsideError:
                if is_last:
                    raise
            time.sleep(TRIED_EVERY_S)
        return self._tell(name, state, changed=is_set or self._has_changed)

    def remove(self) -> int:
        """Forget the pin, whatever its file holds, and tell how things stand then."""
        self._has_changed = remove_pin(self._file)
        self._is_done = True
        return self.status()

    @contextmanager
    def _opened(self) -> Iterator[tuple[str, Host]]:
        """The host's name, and the host."""
        if self._socket is None:
            from vgpu_migrate.hosts.driver import open_driver

            with open_driver() as driver:
                yield self._name(), driver
        else:
            from vgpu_migrate.hosts.live import LiveHost

            live = LiveHost(self._socket)
            yield live.show().id, live

    def _name(self) -> str:
        return sockets.gethostname() if self._socket is None else self._socket

    def _tell(
        self, name: str, state: PinState | None, *, changed: bool, pin: VersionRange | None = None
    ) -> int:
        known = state or PinState(pin, None, None, None, ())
        difference = None if known.difference is None else known.difference.value
        why = "unreachable" if state is None else cast("pin_types.Why | None", difference)
        found = pin_types.PinAnswer(
            host=name,
            file=str(self._file),
            pin=spell_range(known.pin),
            preset_range=spell_range(known.preset),
            range=spell_range(known.in_force),
            in_force=None if known.pin is None or state is None else known.difference is None,
            why=why,
            vms=list(known.vms),
            changed=changed,
        )
        tell(found, pin_view.show_pin, as_json=self._as_json)
        return 0 if why is None else NO


def _read_if_good(path: Path) -> VersionRange | None:
    """The pin of a file; None where there is none, or none that can be understood."""
    try:
        return read_pin(path)
    except InputError:
        return None
