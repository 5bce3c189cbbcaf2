"""Put a study into `results/published/<name>/`: its figures, its tables, its records as one pack, and a page with verdicts, command, time and machine.

Usage: publish.py ELBO NAME [options of `elbo figures`, such as --results DIR]

NAME is a study of `experiments/studies/`, an experiment of `experiments/`, or a file. Everything is drawn anew from the stored runs; the folder is replaced as a whole.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "results" / "published"
PACK = "records.tar.zst"
MOST_OF_A_PDF = 200_000  # bytes; larger ones are pictures, which the pack gives as well


def experiment(name: str) -> str:
    """The file that a study or an experiment is meant by."""
    for folder in (ROOT / "experiments" / "studies", ROOT / "experiments"):
        if (folder / f"{name}.yaml").is_file():
            return str((folder / f"{name}.yaml").relative_to(ROOT))
    return name


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    return done.stdout


def duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{max(minutes, 1)} min"


def trained(about: dict) -> str:
    """How many runs of how many, for how long, on what and when; of what `elbo pack --json` says."""
    of = "" if about["n_runs"] == about["n_cells"] else f" of {about['n_cells']}"
    return f"{about['n_runs']}{of} runs, {duration(about['seconds'])} of training on {' and '.join(about['processors'])}, {about['started'][:10]} to {about['ended'][:10]}"


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def verdicts(judged: dict | None) -> str:
    """A table of the claims; nothing without any."""
    if not judged:
        return ""
    lines = ["| claim | verdict | effect ± 95 % interval | δ |", "|---|---|---|---|"]
    for claim in judged["claims"]:
        def told(part: dict) -> str:
            if part["effect"] is None:
                return f"{part['metric']}: not measured"
            half = "" if part["half_width_95"] is None else f" ± {number(part['half_width_95'])}"
            return f"{part['metric']}: {number(part['effect'])}{half}"

        effects = "; ".join(told(part) for part in claim["comparisons"])
        deltas = ", ".join(dict.fromkeys(number(part["delta"]) for part in claim["comparisons"]))
        lines.append(f"| {claim['text']} | {claim['verdict']} | {effects} | {deltas} |")
    return "\n".join(lines) + f"\n\nEffects are positive where they support the claim. Claims of SHA-256 `{judged['rule']}`; all numbers in `tables/claims.csv`.\n\n"


def page(about: dict, file: str, judged: dict | None, figures: list[Path]) -> str:
    """The folder's README."""
    name = about["name"]
    facts = [("Question", about["question"]), ("Source", about["source"]), ("Experiment", f"`{file}`"), ("Started by", about["launch"] and f"`{about['launch']}`")]
    facts += [("Trained", trained(about))]
    text = f"# {name}\n\n" + "".join(f"- {key}: {value}\n" for key, value in facts if value) + "\n" + verdicts(judged)
    text += f"`{PACK}` ({about['bytes'] / 1e6:.1f} MB) holds the records; `tables/` and `figures/` are made from them, and a test holds that the tables still are:\n\n"
    text += f"    elbo unpack results/published/{name}/{PACK} -o {name}-records\n    elbo figures {name}-records/sweeps/{name}/experiment.yaml --results {name}-records\n\n"
    text += "".join(f"![{figure.stem}](figures/{figure.name})\n\n" for figure in figures)
    return text.rstrip() + "\n"


def publish(elbo: str, name: str, options: list[str]) -> Path:
    file = experiment(name)
    drawn = Path(ROOT, run(elbo, "figures", file, *options).strip())
    judged = json.loads(run(elbo, "compare", file, "--json", *options))["judged"]
    with tempfile.TemporaryDirectory(dir=PUBLISHED) as folder:
        new = Path(folder, "new")
        (new / "figures").mkdir(parents=True)
        for figure in sorted(drawn.iterdir()):
            if figure.suffix == ".png" or (figure.suffix == ".pdf" and figure.stat().st_size <= MOST_OF_A_PDF):
                shutil.copy(figure, new / "figures")
        shutil.copytree(drawn.parent / "tables", new / "tables")
        about = json.loads(run(elbo, "pack", file, "-o", str(new / PACK), "--json", *options))
        (new / "README.md").write_text(page(about, file, judged, sorted((new / "figures").glob("*.png"))))
        place = PUBLISHED / about["name"]
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)
    return place


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    print(publish(sys.argv[1], sys.argv[2], sys.argv[3:]).relative_to(ROOT))
