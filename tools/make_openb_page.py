"""Write docs/openb.md: a production trace as a fleet, its matrix, a drain of 5 % of its hosts, the replay.

    python tools/make_openb_page.py TRACE_DIR

Every command of the page is run here and its output stands on the page as it came.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "openb.md"
EVERY_20TH = 'import json, sys; print(*[h["id"] for h in json.load(open(sys.argv[1]))["hosts"]][::20])'
LINES_OF_MATRIX = 34
LINES_OF_DRAIN = 24
LINES_OF_END = 19

PAGE_TEXT = """# A production fleet

The openb trace (Alibaba, cluster-trace-gpu-v2023; Weng et al., USENIX ATC 2023) lists 1,213 GPU nodes with
6,212 GPUs and 8,152 tasks. It is not part of this project; `examples/openb_fleet.py` turns a copy of it into
a fleet file. What the trace does not say is chosen there and said there: the models G2 and G3 are undisclosed
and taken as A10 and A100X; host and guest drivers are drawn with a fixed seed from real releases; nodes with
vGPU 17 or newer are mixed-size where the board can be.

{made}
## Classes

{matrix}
## Emptying one host in twenty

{hosts} hosts, every twentieth of the file. {moves} VMs move in {seconds} s, where no plan with these
destinations takes less than {bound} s. {stuck} stay ({reasons}), each with what would help.

{drain}
The end of the same output:

```
{end}
```

## Checked by code that shares nothing with the planner

{replay}"""


def run(command: list[str], *, cwd: Path, allowed: tuple[int, ...] = (0,)) -> str:
    """What a command prints, answers and messages together."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S603 (our own programs)
        command,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "110", "PATH": path, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode not in allowed:
        raise SystemExit(f"{shlex.join(command)}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout.rstrip()


def shortened(text: str, lines: int) -> str:
    """The first lines, and how many more there were."""
    all_lines = text.splitlines()
    more = len(all_lines) - lines
    return "\n".join([*all_lines[:lines], f"[{more} more lines]"]) if more > 0 else text


def block(command: str, output: str) -> str:
    """A command and its output as a listing."""
    return f"```\n$ {command}\n{output}\n```\n"


def main() -> None:
    """Run the commands and write the page."""
    trace = Path(sys.argv[1]).resolve()
    example = str(ROOT / "examples" / "openb_fleet.py")
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder)
        made = run([sys.executable, example, str(trace), "-o", "openb.json"], cwd=cwd)
        matrix = run(["vgpu-migrate", "matrix", "openb.json"], cwd=cwd)
        hosts = run([sys.executable, "-c", EVERY_20TH, "openb.json"], cwd=cwd).split()
        command = ["vgpu-migrate", "drain", "openb.json", *hosts, "-o", "plan.json"]
        drain = run(command, cwd=cwd, allowed=(0, 1))
        replay = run(["vgpu-migrate", "replay", "openb.json", "plan.json"], cwd=cwd)
        plan = json.loads((cwd / "plan.json").read_text(encoding="utf-8"))
    time_s = plan["bounds"]["makespan_s"]
    drain_command = f"""HOSTS=$(python -c '{EVERY_20TH}' openb.json)
$ vgpu-migrate drain openb.json $HOSTS -o plan.json"""
    PAGE.write_text(
        PAGE_TEXT.format(
            made=block("python examples/openb_fleet.py TRACE_DIR -o openb.json", made),
            matrix=block("vgpu-migrate matrix openb.json", shortened(matrix, LINES_OF_MATRIX)),
            hosts=len(hosts),
            moves=len(plan["steps"]),
            seconds=round(time_s["value"]),
            bound=round(time_s["lower_bound"]),
            stuck=len(plan["stuck"]),
            reasons=", ".join(sorted({stuck["reason"] for stuck in plan["stuck"]})) or "none",
            drain=block(drain_command, shortened(drain, LINES_OF_DRAIN)),
            end="\n".join(drain.splitlines()[-LINES_OF_END:]),
            replay=block("vgpu-migrate replay openb.json plan.json", replay),
        ),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
