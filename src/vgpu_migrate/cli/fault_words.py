"""A fault to inject as it is spelled on the command line, by `host inject` and by `sim --inject` alike."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from vgpu_migrate.cli.options import AnyParameter, NumberParameter, single_option

if TYPE_CHECKING:
    from vgpu_migrate.hosts.fault_spec import FaultSpec
    from vgpu_migrate.hosts.live import LiveHost

ANY_FUNCTION = "any"
GPU_IS_LOST = 15
DRIVER_NOT_LOADED = 9

Function = TypeVar("Function", bound=Callable[..., Any])


class ReturnCode(NumberParameter):
    """An NVML return code, by number or name."""

    name = "code"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        if isinstance(value, int):
            return value
        from vgpu_migrate.errors import UnknownNameError
        from vgpu_migrate.nvml import Return

        text = str(value)
        if text.isdecimal():
            number = int(text)
            if number > max(Return):
                self.fail(f"{number} is no NVML return code; wanted 1 to {int(max(Return))}", param, ctx)
            return number
        names = {code.name: code for code in Return}
        found = names.get(text.upper().removeprefix("NVML_ERROR_").removeprefix("NVML_"))
        if found is None:
            raise UnknownNameError("return code", text, names)
        return int(found)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """The names of codes that begin so."""
        from click.shell_completion import CompletionItem

        from vgpu_migrate.nvml import Return

        return [CompletionItem(code.name) for code in Return if code.name.startswith(incomplete.upper())]


class FiniteRange(click.FloatRange):
    """A number between two bounds. Neither `nan` nor `inf`, which no bound keeps out, is one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value}; wanted a finite number", param, ctx)
        return number


class FaultWords(NamedTuple):
    """What was spelled, checked as far as it can be without the host."""

    function: str | None
    code: int
    gpu: str | None
    vgpu: str | None
    after: int
    probability: float
    seed: int
    for_s: float | None
    delay_ms: float

    def spec(self, live: LiveHost) -> FaultSpec:
        """The fault as data, a vgpu named by its UUID looked up on the host.

        Raises:
            InputError: the host has no such vgpu, and the number is none either.
            OutsideError: the host cannot be reached.
        """
        from vgpu_migrate.hosts.fault_spec import FaultSpec

        return FaultSpec(
            function=self.function,
            gpu=self.gpu,
            instance=None if self.vgpu is None else _instance(live, self.vgpu),
            code=self.code,
            after=self.after,
            probability=self.probability,
            seed=self.seed,
            delay_s=self.delay_ms / 1000,
            for_s=self.for_s,
        )


def _instance(live: LiveHost, name: str) -> int:
    from vgpu_migrate.errors import UnknownNameError

    vgpus = [vgpu for vm in live.show().vms for vgpu in vm.vgpus]
    for vgpu in vgpus:
        if name in (str(vgpu.instance), vgpu.uuid):
            return vgpu.instance
    raise UnknownNameError("vgpu", name, [str(vgpu.instance) for vgpu in vgpus])


def complete_function(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The functions whose names begin so, and the word for all of them."""
    from vgpu_migrate.nvml.symbols import symbols

    return [
        name
        for name in (ANY_FUNCTION, *(one.name for one in symbols() if one.answers))
        if name.startswith(incomplete)
    ]


def fault_options(function: Function) -> Function:
    """The arguments that spell a fault; the function is given one `FaultWords` for them, named `words`."""
    names = FaultWords._fields

    def collect(**given: Any) -> Any:
        spelled = {name: given.pop(name) for name in (*names, "gpu_lost", "driver_gone")}
        return function(words=_words(**spelled), **given)

    collect.__doc__, collect.__name__ = function.__doc__, function.__name__
    # Options that `function` was given before are kept, as click's own decorators do.
    collect.__click_params__ = list(getattr(function, "__click_params__", ()))  # type: ignore[attr-defined]
    for declare in reversed(_OPTIONS):
        declare(collect)
    return collect  # type: ignore[return-value]


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.argument("function", metavar="[FUNCTION]", required=False, shell_complete=complete_function),
    single_option(
        "--code",
        type=ReturnCode(),
        metavar="CODE",
        help="Answer this code: 15, or GPU_IS_LOST.",
    ),
    single_option("--gpu", metavar="ID", help="Only calls about this gpu, or a vgpu of it."),
    single_option("--vgpu", metavar="ID", help="Only calls about this vgpu: its instance number or UUID."),
    single_option("--after", type=click.IntRange(0), metavar="CALLS", help="Let so many calls pass first."),
    single_option(
        "--probability",
        type=FiniteRange(0, 1),
        metavar="P",
        help="Each of the others fails with this chance.",
    ),
    single_option(
        "--seed",
        type=click.IntRange(0, 2**64 - 1),
        metavar="S",
        help="Of the chance; 0 if not given.",
    ),
    single_option(
        "--for",
        "for_s",
        type=FiniteRange(0, min_open=True),
        metavar="SECONDS",
        help="End after this time.",
    ),
    single_option(
        "--delay", "delay_ms", type=FiniteRange(0, 4_000_000), metavar="MS", help="Answer so much later."
    ),
    single_option("--gpu-lost", metavar="ID", help="Short for: any --gpu ID --code GPU_IS_LOST."),
    click.option("--driver-gone", is_flag=True, help="Short for: any --code DRIVER_NOT_LOADED."),
)


def _words(
    *,
    function: str | None,
    code: int | None,
    gpu: str | None,
    gpu_lost: str | None,
    driver_gone: bool,
    delay_ms: float | None,
    probability: float | None,
    after: int | None,
    seed: int | None,
    vgpu: str | None,
    for_s: float | None,
) -> FaultWords:
    short = "--gpu-lost" if gpu_lost is not None else "--driver-gone"
    if gpu_lost is not None or driver_gone:
        given = {"FUNCTION": function, "--code": code, "--gpu": gpu, "--vgpu": vgpu}
        if gpu_lost is not None and driver_gone:
            raise click.UsageError("--gpu-lost and --driver-gone are two faults; inject one after the other")
        if wrong := [name for name, value in given.items() if value is not None]:
            raise click.UsageError(f"{short} says it all; {wrong[0]} does not go with it")
        function, gpu = ANY_FUNCTION, gpu_lost
        code = GPU_IS_LOST if gpu_lost is not None else DRIVER_NOT_LOADED
    if function is None:
        raise click.UsageError(f"wanted a FUNCTION, or the word {ANY_FUNCTION} for all")
    if gpu is not None and vgpu is not None:
        raise click.UsageError("--gpu and --vgpu do not go together; choose one")
    if not code and not delay_ms:
        raise click.UsageError("wanted --code, --delay, or both: what shall the calls meet?")
    return FaultWords(
        function=_function(function),
        code=code or 0,
        gpu=gpu,
        vgpu=vgpu,
        after=after or 0,
        probability=1.0 if probability is None else probability,
        seed=seed or 0,
        for_s=for_s,
        delay_ms=delay_ms or 0.0,
    )


def _function(name: str) -> str | None:
    if name == ANY_FUNCTION:
        return None
    from vgpu_migrate.nvml.symbols import symbol

    return symbol(name).name


class FaultText(AnyParameter):
    """A whole fault in one word of the line: `"nvmlDeviceGetPowerUsage --code TIMEOUT --after 3"`."""

    name = "fault"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> FaultWords:
        """What it spells."""
        if isinstance(value, FaultWords):
            return value
        try:
            words = shlex.split(str(value))
            with _inject.make_context("--inject", words) as inner:
                found = _inject.invoke(inner)
        except ValueError as error:  # an open quote
            self.fail(str(error), param, ctx)
        except click.UsageError as error:
            self.fail(error.format_message(), param, ctx)
        assert isinstance(found, FaultWords)
        return found


@click.command("inject", add_help_option=False)
@fault_options
def _inject(words: FaultWords) -> FaultWords:
    return words
