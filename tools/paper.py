"""Set all published studies as one PDF: what each asks, its verdicts, findings, figures and tables, drawn anew from the packs in `results/published`.

Usage: paper.py ELBO OUTPUT.pdf [STUDY…]      with the interpreter of `setup.py paper`, which has typst

Without studies, all that have a pack, in order of their names. Pages are laid out by `paper.typ`.
"""

import csv
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from publish import PACK, PUBLISHED, trained

ROOT = Path(__file__).resolve().parent.parent
STYLE = "width=6.5,font=8,formats=pdf"
MOST_COLUMNS = 7  # of values side by side
MOST_LINES = 45  # of a table on a page
HALF = "_half_width_95"


def run(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}:\n{done.stderr.strip()}")
    return done.stdout


def decimals(values: list[str]) -> int:
    """Digits behind the point with which the largest of some numbers has four; none for whole numbers."""
    numbers = [abs(float(value)) for value in values if value]
    if all(number == round(number) for number in numbers):
        return 0
    return max(0, 3 - int(f"{max(numbers):e}".split("e")[1]))


def shown(value: str, half: str, digits: int) -> str:
    """A number with its half width, to the second digit of that; with so many digits behind the point where there is none."""
    if not value:
        return "–"
    number = float(value)
    if not half or float(half) == 0:
        return f"{number:.{digits}f}".replace("-", "−")
    digits = max(0, 1 - int(f"{float(half):e}".split("e")[1]))
    return f"{number:.{digits}f} ± {float(half):.{digits}f}".replace("-", "−")


def metric(name: str) -> str:
    """A metric's name in words, abbreviations in capitals."""
    words = [word.upper() if word in ("elbo", "kl", "psnr", "ssim", "mse", "nll") else word for word in name.split("_")]
    return " ".join(words)


def title(key: str) -> str:
    """A column's head: names without underscores, and without the split, which is the test images' where nothing is said."""
    name, _, rest = key.partition(" (")
    settings = [part for part in rest.removesuffix(")").split(", ") if part not in ("", "test")]
    words = metric(name.split(".")[-1])
    return f"{words} ({', '.join(settings)})" if settings else words


def tables(folder: Path) -> list[dict]:
    """The tables of numbers, in parts that fit a page: heads, and lines of fields."""
    found = []
    for file in sorted(folder.glob("*.csv")):
        if file.stem == "claims":
            continue
        with open(file, newline="") as text:
            rows = list(csv.DictReader(text))
        keys = [key for key in (rows[0] if rows else {}) if not key.endswith(HALF)]
        leading = keys[: keys.index("n_seeds") + 1]
        # What is the same in all lines, or is said by the setting in words, needs no column.
        leading = [key for key in leading if key in ("beta", "latent_dim", "n_seeds") or (key == "variant" and len({row[key] for row in rows}) > 1)]
        leading = [key for key in leading if any(row[key] for row in rows)]
        values = [key for key in keys[keys.index("n_seeds") + 1 :] if any(row[key] for row in rows)]
        digits = {key: decimals([row[key] for row in rows]) for key in values}
        names = {"beta": "β", "latent_dim": "D", "n_seeds": "n", "variant": "setting"}
        room = MOST_COLUMNS - 2 * ("variant" in leading)
        for start in range(0, len(values), room):
            some = values[start : start + room]
            lines = [[row[key] for key in leading] + [shown(row[key], row.get(key + HALF, ""), digits[key]) for key in some] for row in rows]
            for first in range(0, len(lines), MOST_LINES):
                part = {"name": file.stem, "heads": [names[key] for key in leading] + [title(key) for key in some]}
                found.append({**part, "lines": lines[first : first + MOST_LINES], "n_leading": len(leading)})
    return found


def differing(one: dict, other: dict) -> list[str]:
    """Two ends of a comparison by what they differ in: β and D by their letters."""
    letters = {"objective.beta": "β", "model.latent_dim": "D"}

    def told(end: dict, beside: dict) -> str:
        own = {path: value for path, value in end.items() if beside.get(path) != value}
        return ", ".join(f"{letters.get(path, path.split('.')[-1].replace('_', ' '))} = {value}" for path, value in own.items()) or "the same"

    return [told(one, other), told(other, one)]


def claims(judged: dict | None) -> list[dict]:
    """The claims with what they rest on."""

    def told(part: dict) -> dict:
        ends = differing(part["from"], part["to"])
        half = "" if part["half_width_95"] is None else str(part["half_width_95"])
        value = str(part["effect"])
        effect = "not measured" if part["effect"] is None else shown(value, half, decimals([value]))
        return {"what": f"{metric(part['metric'])}: {ends[0]} → {ends[1]}", "effect": effect, "delta": f"{part['delta']:g}", "n": part["n"], "verdict": part["verdict"]}

    return [{"id": claim["id"], "text": claim["text"], "verdict": claim["verdict"], "parts": [told(part) for part in claim["comparisons"]]} for claim in (judged or {"claims": []})["claims"]]


def study(elbo: str, folder: Path, work: Path) -> dict:
    """All that the pages say of a study, drawn from its pack."""
    results = work / folder.name
    file = run(elbo, "unpack", str(folder / PACK), "-o", str(results)).strip()
    kept = json.loads((Path(file).parent / "sweep.json").read_text())
    options = [word for setting in kept["set"] for word in ("--set", setting)] + ["--results", str(results)]
    drawn = Path(run(elbo, "figures", file, "--style", STYLE, *options).strip())
    about = json.loads(run(elbo, "pack", file, "-o", str(work / f"{folder.name}.tar.zst"), "--json", *options))
    compared = json.loads(run(elbo, "compare", file, "--json", *options))
    figures = [{"path": str(path.relative_to(work)), "name": path.stem, "caption": path.with_suffix(".txt").read_text().strip()} for path in sorted(drawn.glob("*.pdf"))]
    return {
        "name": about["name"],
        "question": about["question"],
        "source": about["source"],
        "launch": about["launch"],
        "trained": trained(about),
        "redraw": f"elbo unpack results/published/{folder.name}/{PACK} -o {folder.name}-records",
        "rule": (compared["judged"] or {}).get("rule"),
        "claims": claims(compared["judged"]),
        "findings": [finding["text"] for finding in compared["findings"]],
        "warnings": [warning["text"] for warning in compared["warnings"]],
        "figures": figures,
        "tables": tables(drawn.parent / "tables"),
    }


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    import typst

    elbo, output, names = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    folders = [PUBLISHED / name for name in names] or sorted(pack.parent for pack in PUBLISHED.glob(f"*/{PACK}"))
    if not folders:
        sys.exit("error: no study is published\nhint: `./just publish NAME` puts one into results/published")
    with tempfile.TemporaryDirectory() as work:
        with ThreadPoolExecutor(2) as pool:
            studies = list(pool.map(lambda folder: study(elbo, folder, Path(work)), folders))
        Path(work, "studies.json").write_text(json.dumps(studies))
        Path(work, "paper.typ").write_text((ROOT / "tools" / "paper.typ").read_text())
        output.parent.mkdir(parents=True, exist_ok=True)
        # Without a date, so that the same packs give the same bytes.
        typst.compile(str(Path(work, "paper.typ")), output=str(output), timestamp=0)
    print(output)


if __name__ == "__main__":
    main()
