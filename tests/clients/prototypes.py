"""A C program that calls every function of NVIDIA's header through its own prototype."""

from __future__ import annotations

from pathlib import Path

from tools.make_fuzz_calls import OPAQUE, Prototype, pointee, prototypes

HEAD = """\
/* Made by tests/clients/prototypes.py from nvml.h. */
#define NVML_NO_UNVERSIONED_FUNC_DEFS
#include <nvml.h>

#include "guarded.h"

static nvmlDevice_t device;

/* The same buffer for every call, `size` bytes before a forbidden page, cleared. */
static void *room(size_t size)
{
    static unsigned char *end;
    if (end == NULL)
        end = (unsigned char *)guarded(64 * PAGE) + 64 * PAGE;
    return memset(end - size, 0, size);
}

static int is_known(int code)
{
    return (code >= 0 && code <= 30) || code == 999;
}

static void report(const char *name, int code, int wanted)
{
    if (wanted >= 0 ? code != wanted : !is_known(code)) {
        failures++;
        printf("%s answered %d, wanted %s%d\\n", name, code, wanted < 0 ? "any code but " : "", wanted);
    }
}
"""

TAIL = """
int main(void)
{
    before(1);
    if (nvmlInit_v2() != NVML_SUCCESS || nvmlDeviceGetHandleByIndex_v2(0, &device) != NVML_SUCCESS)
        return 2;
    nothing();
    exact();
    while (nvmlShutdown() == NVML_SUCCESS)
        ;
    before(1);
    return failures != 0;
}
"""

OUTSIDE_INIT = {"nvmlInit", "nvmlInit_v2", "nvmlInitWithFlags", "nvmlShutdown", "nvmlSystemGetNVMLVersion"}
"""What a program may call before it has initialised."""


def nothing(kind: str) -> str:
    """An argument that says nothing: NULL, or zero."""
    return "NULL" if pointee(kind) or kind in ("nvmlDevice_t", *OPAQUE) else f"({kind})0"


def exact(kind: str) -> str:
    """An honest argument: a good device, a buffer of exactly what the pointer's type says, small numbers."""
    target = pointee(kind)
    if kind == "nvmlDevice_t":
        return "device"
    if kind in OPAQUE:
        return "NULL"
    if target is None:
        return f"({kind})1"
    if target == "char":
        return "room(1)"
    return f"room(sizeof({target}))"


def program(folder: Path) -> str:
    """The whole program; buffers of elements hold one, and their counts say 0."""
    declared = prototypes(folder)
    return "\n".join(
        [
            HEAD,
            "static void before(int wanted)\n{",
            *(
                line(one, [nothing(kind) for kind, _ in one.arguments], "wanted")
                for one in declared
                if one.name not in OUTSIDE_INIT
            ),
            "}\n\nstatic void nothing(void)\n{",
            *(line(one, [nothing(kind) for kind, _ in one.arguments], "-1") for one in declared),
            "}\n\nstatic void exact(void)\n{",
            *(
                line(one, [exact(kind) for kind, _ in one.arguments], "-1")
                for one in declared
                if one.name != "nvmlShutdown"
            ),
            "}",
            TAIL,
        ]
    )


def line(one: Prototype, arguments: list[str], wanted: str) -> str:
    """One call and the check of its code."""
    return f'    report("{one.name}", (int){one.name}({", ".join(arguments)}), {wanted});'
