"""A guest of the laboratory: started, saved, migrated, and asked whether it still ticks."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.lab.lab_host import LONGEST_S, LabError, LabHost, wait_until
from tests.lab.prerequisites import libvirt

from vgpu_migrate.hosts.live_view import VmView
from vgpu_migrate.vmm.domain_element import NAMESPACE

ELEMENT = re.compile(r"<(?:\w+:)?vgpus\b.*?(?:</(?:\w+:)?vgpus>|/>)", re.DOTALL)


class LabGuest:
    """A guest. It carries no saved record until `carry_record` or `carry` puts one in.

    Attributes:
        name: its name, in libvirt and of its simulated VM.
        xml: what it is defined with.
    """

    def __init__(self, hosts: Sequence[LabHost], name: str, xml: str) -> None:
        self._hosts = hosts
        self.name = name
        self.xml = xml

    def domain(self, host: LabHost) -> Any:
        """It, on a host, as libvirt-python gives it.

        Raises:
            libvirtError: it is not there.
        """
        return host.libvirt.lookupByName(self.name)

    def is_defined(self, host: LabHost) -> bool:
        """Whether a host's libvirtd knows it."""
        return any(domain.name() == self.name for domain in host.libvirt.listAllDomains())

    def is_running(self, host: LabHost) -> bool:
        """Whether it runs on a host; not where it is paused or on its way."""
        state = self.domain(host).state()[0] if self.is_defined(host) else None
        return bool(state == libvirt.VIR_DOMAIN_RUNNING)

    @property
    def host(self) -> LabHost:
        """Where it runs or is paused.

        Raises:
            LabError: nowhere, or twice.
        """
        found = [host for host in self._hosts if self.is_defined(host) and self.domain(host).isActive()]
        if len(found) != 1:
            raise LabError(f"guest {self.name} is active on {len(found)} hosts; wanted one")
        return found[0]

    def vm(self, host: LabHost) -> VmView | None:
        """Its simulated VM on a host's vGPU host."""
        return next((vm for vm in host.vgpu.show().vms if vm.id == self.name), None)

    def wait_for_vm(self, host: LabHost, power: str = "running") -> VmView:
        """Its simulated VM, once that is active on a host and in a state: it follows the guest."""

        def there() -> bool:
            vm = self.vm(host)
            return vm is not None and vm.power == power and (vm.is_active or power == "off")

        wait_until(there, what=f"the VM of {self.name} is {power} on {host.name}")
        found = self.vm(host)
        assert found is not None
        return found

    def start(self, host: LabHost) -> LabGuest:
        """Define and start it; it ticks, its simulated VM runs."""
        host.libvirt.defineXML(self.xml).create()
        self.wait_for_tick(host)
        self.wait_for_vm(host)
        return self

    def wait_for_tick(self, host: LabHost) -> int:
        """Its count, once it has ticked anew on a host."""
        console = host.console(self.name)
        before = len(console.ticks)
        wait_until(lambda: len(console.ticks) > before, what=f"{self.name} ticks on {host.name}")
        return console.ticks[-1]

    def write_device(self, host: LabHost, word: int) -> None:
        """Write the first word of its device's memory, which it says at each tick."""
        with host.device_memory(self.name).open("r+b") as memory:
            memory.write(word.to_bytes(4, "little"))

    def device_count(self, host: LabHost) -> int:
        """The count that it keeps in its device's memory."""
        return int.from_bytes(host.device_memory(self.name).read_bytes()[16:20], "little")

    def carry_record(self, *options: str) -> str:
        """Put the records of its VM into its <metadata>, by `host metadata` and `vm metadata`; the element.

        Args:
            options: further options of `vm metadata`; `--boot` is now where they name none.
        """
        element = self.element(*options)
        self.carry(element)
        return element

    def element(self, *options: str) -> str:
        """The element that `carry_record` puts in."""
        host = self.host
        record, new = Path("/run/lab") / f"{self.name}.record", Path("/run/lab") / f"{self.name}.xml"
        if "--boot" not in options:
            options = (*options, "--boot", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        host.cli("host", "metadata", self.name, "--json", "-o", str(record), check=True)
        words = ["--record", str(record), *options, "-o", str(new)]
        done = host.cli("vm", "metadata", "-", *words, input=self.domain(host).XMLDesc())
        if done.returncode:
            raise LabError(f"vm metadata: {done.stderr}")
        text = (host.dir / new.relative_to("/")).read_text(encoding="utf-8")
        found = ELEMENT.search(text)
        assert found is not None
        return found[0]

    def carry(self, element: str | None) -> None:
        """Put an element of ours into its <metadata>, in the place of the one there; None: take that out."""
        domain, kind = self.domain(self.host), libvirt.VIR_DOMAIN_METADATA_ELEMENT
        flags = libvirt.VIR_DOMAIN_AFFECT_LIVE | libvirt.VIR_DOMAIN_AFFECT_CONFIG
        if element is not None or self.carried(self.host) is not None:
            domain.setMetadata(kind, element, "vgpu" if element else None, NAMESPACE, flags)

    def carried(self, host: LabHost) -> str | None:
        """The element of ours that it carries on a host."""
        with suppress(libvirt.libvirtError):
            found = self.domain(host).metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE)
            return str(found)
        return None

    def migrate(
        self,
        target: LabHost,
        *,
        flags: int | None = None,
        deadline_s: float = LONGEST_S,
        **parameters: object,
    ) -> None:
        """Migrate it, live, as any program does that uses libvirt; aborted at the deadline.

        Args:
            target: where to.
            flags: libvirt's; by default live, defined on the target and no more on the source.
            deadline_s: seconds after which it is aborted.
            parameters: libvirt's migration parameters by their names, such as `bandwidth` in MiB/s.

        Raises:
            libvirtError: it stays where it is, and why.
        """
        source = self.host
        if flags is None:
            flags = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PERSIST_DEST
            flags |= libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
        domain = self.domain(source)

        def abort() -> None:
            with suppress(libvirt.libvirtError):
                domain.abortJob()

        timer = threading.Timer(deadline_s, abort)
        timer.start()
        try:
            domain.migrate3(target.libvirt, parameters, flags)
        finally:
            timer.cancel()
            timer.join()

    def move_definition(self, target: LabHost) -> None:
        """Migrate it while it is off (libvirt's offline migration): its definition goes.

        Raises:
            libvirtError: it stays where it is, and why.
        """
        flags = libvirt.VIR_MIGRATE_OFFLINE | libvirt.VIR_MIGRATE_PERSIST_DEST
        source = next(host for host in self._hosts if self.is_defined(host))
        self.domain(source).migrate3(target.libvirt, {}, flags | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE)

    def refusal(self, target: LabHost, **parameters: Any) -> str:
        """The line of the hook that refuses its migration, from the error that the source gets.

        Raises:
            LabError: it was migrated, or failed for another reason.
        """
        try:
            self.migrate(target, **parameters)
        except libvirt.libvirtError as error:
            return hook_line(error)
        raise LabError(f"guest {self.name} was migrated to {target.name}")


def hook_line(error: Any) -> str:
    """The hook's line in a libvirtError that tells of a hook that failed.

    Raises:
        LabError: it tells of something else.
    """
    if (error.get_error_code(), error.get_error_domain()) != (
        libvirt.VIR_ERR_HOOK_SCRIPT_FAILED,
        libvirt.VIR_FROM_HOOK,
    ):
        raise LabError(f"no hook's error: {error}") from error
    return str(error).partition("unexpected exit status 1: ")[2].strip()
