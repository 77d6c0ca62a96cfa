"""The metrics that the services declare, read from their sources, as Prometheus names them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Name and kind where they are declared: .counter("frames_published", ...), or through a constant of the file.
DIRECT = re.compile(r"\.(counter|gauge|histogram)\(\s*(?:\"(\w+)\"|([A-Z][A-Z_]*))")
# Or a helper of the file that takes name and help: helper("frames_published", "Frames ...", ...).
INDIRECT = re.compile(r"\.(counter|gauge|histogram)\(\s*[a-z]\w*\s*,")
HELPED = re.compile(r"(?<!\.counter)(?<!\.gauge)(?<!\.histogram)\(\s*\"([a-z][a-z0-9_]*)\",\s*\"[A-Z0-9]")
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}


def declared():
    """Names such as mineseal_frames_published_total."""
    names = set()
    for folder in ("crates", "services"):
        for file in sorted((ROOT / folder).glob("*/src/**/*.rs")):
            # Of the registry itself, and of tests.
            if "crates/telemetry" in str(file):
                continue
            source = file.read_text(encoding="utf-8").split("#[cfg(test)]")[0]
            for kind, name, constant in DIRECT.findall(source):
                if constant:
                    found = re.search(rf'const {constant}: &str = "(\w+)"', source)
                    name = found.group(1) if found else ""
                if name:
                    names |= {f"mineseal_{name}{suffix}" for suffix in SUFFIXES[kind]}
            for kind in set(INDIRECT.findall(source)):
                for name in HELPED.findall(source):
                    names |= {f"mineseal_{name}{suffix}" for suffix in SUFFIXES[kind]}
    return names


def named(expression):
    """The metrics of mineseal that a PromQL expression names; recorded ones have colons and are not among them."""
    return set(re.findall(r"(?<![:\w])mineseal_\w+", expression))


if __name__ == "__main__":
    print("\n".join(sorted(declared())))
