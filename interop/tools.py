"""What the checks need, and how it gets here: into .tools/interop, at pinned versions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".tools" / "interop"
BIN = HOME / "bin"
LOGS = HOME / "log"
HERE = ROOT / "interop"
EXAMPLES = ROOT / "examples" / "python"
PYTHON = HOME / "python" / "bin" / "python"
NODE_MODULES = HOME / "node" / "node_modules"

# How long one installation may take, in seconds.
PATIENCE = 900


@dataclass(frozen=True)
class Tool:
    """A program, or a set of packages, that checks need."""

    name: str  # as checks call it
    version: str = ""  # "" is whatever this machine has
    by: str = ""  # the program that installs it; "" if nothing does
    steps: tuple[str, ...] = ()  # the commands that install it, run in HOME
    makes: tuple[Path, ...] = ()  # what is there when it is installed
    pins: tuple[Path, ...] = ()  # files that also decide what is installed


@dataclass(frozen=True)
class Outcome:
    """Whether a tool can be used."""

    tool: Tool
    why_not: str = ""  # "" if it can be used
    failed: bool = False  # it could not be installed, although the program that does it is here
    seconds: float = 0


def tools() -> list[Tool]:
    """Returns all tools."""
    packages = (HERE / "clients" / "package.json", HERE / "clients" / "package-lock.json")
    requirements = HERE / "requirements.txt"
    contrib = "github.com/open-telemetry/opentelemetry-collector-contrib"
    return [
        Tool("curl"),
        Tool("openssl"),
        _from_go("telemetrygen", "v0.161.0", f"{contrib}/cmd/telemetrygen"),
        _from_go("grpcurl", "v1.9.4", "github.com/fullstorydev/grpcurl/cmd/grpcurl"),
        Tool(
            "websocat",
            "1.14.1",
            by="cargo",
            steps=("cargo install --quiet --locked --root . --version 1.14.1 websocat",),
            makes=(BIN / "websocat",),
        ),
        Tool(
            "python packages",
            "as in interop/requirements.txt",
            by="python3",
            steps=(
                "python3 -m venv --clear python",
                "python/bin/python -m pip install --quiet --no-input --requirement ../../interop/requirements.txt",
            ),
            makes=(PYTHON,),
            pins=(requirements,),
        ),
        Tool(
            "node packages",
            "as in interop/clients/package-lock.json",
            by="npm",
            steps=(
                "mkdir -p node",
                "cp ../../interop/clients/package.json ../../interop/clients/package-lock.json node",
                "npm ci --prefix node --ignore-scripts --no-audit --no-fund --loglevel=error",
            ),
            makes=(NODE_MODULES,),
            pins=packages,
        ),
    ]


def _from_go(name: str, version: str, package: str) -> Tool:
    return Tool(name, version, by="go", steps=(f"go install {package}@{version}",), makes=(BIN / name,))


def install(tool: Tool) -> Outcome:
    """Installs a tool unless it is there already. Blocks; what is printed goes to a log."""
    if not tool.by:
        return Outcome(tool, "" if shutil.which(tool.name) else f"{tool.name} is not on this machine")
    stamp = HOME / f"{tool.name.replace(' ', '-')}.installed"
    wanted = json.dumps([tool.steps, [pin.read_text(encoding="utf-8") for pin in tool.pins]])
    if all(made.exists() for made in tool.makes) and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return Outcome(tool)
    if not shutil.which(tool.by):
        return Outcome(tool, f"{tool.by}, which installs {tool.name}, is not on this machine")
    began = time.monotonic()
    for step in tool.steps:
        if problem := _run(step, LOGS / f"install-{stamp.stem}.log"):
            return Outcome(tool, f"{tool.name} could not be installed: {problem}", failed=True)
    stamp.write_text(wanted, encoding="utf-8")
    return Outcome(tool, seconds=time.monotonic() - began)


def _run(step: str, log: Path) -> str:
    """Runs one command, and returns what went wrong."""
    environment = {**os.environ, "GOBIN": str(BIN), "GOWORK": "off", "GOFLAGS": ""}
    with log.open("w+", encoding="utf-8", errors="replace") as output:
        try:
            status = subprocess.run(
                step.split(),
                cwd=HOME,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=PATIENCE,
            ).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if status == 0:
            return ""
        output.seek(0)
        said = [line.strip() for line in output if line.strip()]
        return f"`{step}` ended with status {status}: {said[-1] if said else 'it said nothing'} ({log})"
