"""Write the results kept as JSON into README.md: `python -m benchmarks.table`."""

import json
from pathlib import Path

from benchmarks.common import RESULTS, code_hash

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- results: python -m benchmarks.table -->\n", "<!-- end of results -->"
SETS = ("real", "synthetic", "stable", "logistic", "shared", "plain", "esteban", "gaussian", "jitter", "autoregression")
SETS += ("time_vae", "tsgm_cgan", "tsgm_timegan", "static alone")


def table(result) -> str:
    """Figures of one benchmark as a Markdown table: a measure per row, a set per column."""
    rows = result["rows"]
    sets = [name for name in SETS if any(row["set"] == name for row in rows)]
    cells = {(row["measure"], row["judge"], row["set"]): row for row in rows}
    lines = [f"| | {' | '.join(sets)} |", "|---|" + "---|" * len(sets)]
    for measure, judge in dict.fromkeys((row["measure"], row["judge"]) for row in rows):
        shown = [cells.get((measure, judge, name)) for name in sets]
        texts = [f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})" if row else "" for row in shown]
        lines.append(f"| {measure.replace('_', ' ')} {judge} | {' | '.join(texts)} |")
    return "\n".join(lines)


def plain(rows) -> str:
    """Rows of equal keys as they are."""
    lines = [rows[0].keys(), ["---"] * len(rows[0]), *(row.values() for row in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def section() -> str:
    parts = []
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        same = result["code"] == code_hash(result["parts"])
        where = f"{result['date']}; {result['machine']}" + ("" if same else "; earlier code")
        parts.append(f"**{path.stem}**: `{result['command']}` ({where})\n")
        if "rows" in result:
            parts.append(table(result) + "\n")
        if "trials" in result:
            parts.append(plain(result["trials"]) + "\n")
        parts.append(
            "\n".join(f"- {'met' if met else '**missed**'}: {bar}" for bar, met in result["bars"].items()) + "\n"
        )
    return "\n".join(parts)


def rewritten(text) -> str:
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n{section()}\n{END}{tail}"


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text()))
