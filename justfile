# What can be done with this checkout, one recipe each: `./just --list`. `./just` brings its own `just`.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

python := `command -v python3.11 || command -v python3 || echo python3`
elbo := justfile_directory() / "target/debug/elbo"

# Lists the recipes.
_default:
    @{{ quote(just_executable()) }} --justfile {{ quote(justfile()) }} --list --unsorted

# Train what an experiment lacks, then draw its figures and report; again: only what is new
[group('research')]
sweep experiment="experiments/sweep.yaml" *arguments: build
    @shift || true; {{ quote(elbo) }} sweep {{ quote(experiment) }} "$@"

# Train, measure and judge a study in experiments/studies, and write its report; again: goes on where it stopped; `--hours H` fits it into so many hours
[group('research')]
study name *arguments: build
    @shift; {{ quote(elbo) }} sweep {{ quote("experiments/studies/" + name + ".yaml") }} "$@"

# Show every cell of an experiment: done, resumable, failed or new, and how long the rest takes
[group('research')]
plan experiment="experiments/sweep.yaml" *arguments: build
    @shift || true; {{ quote(elbo) }} plan {{ quote(experiment) }} "$@"

# List the stored runs; takes the options of `elbo list`
[group('research')]
list *arguments: build
    @{{ quote(elbo) }} list "$@"

# Compare an experiment's cells: mean ± 95 % interval over seeds
[group('research')]
compare experiment="experiments/sweep.yaml" *arguments: build
    @shift || true; {{ quote(elbo) }} compare {{ quote(experiment) }} "$@"

# Redraw an experiment's figures, tables and report from the stored records
[group('research')]
figures experiment="experiments/sweep.yaml" *arguments: build
    @shift || true; {{ quote(elbo) }} figures {{ quote(experiment) }} "$@"
    @shift || true; {{ quote(elbo) }} report {{ quote(experiment) }} "$@"

# Typeset a sweep's tables in two columns with pdflatex or tectonic; a table that is too wide, or a label that two have, fails
[group('research')]
tables sweep="sweep" results="results":
    #!/usr/bin/env bash
    set -euo pipefail
    tex=$(command -v pdflatex || command -v tectonic) || { echo "error: neither pdflatex nor tectonic is here; hint: install TeX Live or tectonic" >&2; exit 1; }
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    {
        echo '\documentclass[twocolumn]{article}\usepackage[utf8]{inputenc}\usepackage{array,booktabs}\begin{document}'
        for table in "$(realpath {{ quote(results) }})"/sweeps/{{ quote(sweep) }}/tables/*.tex; do
            cat "$table"
            echo '\clearpage'
        done
        echo '\end{document}'
    } >"$folder/tables.tex"
    cd "$folder"
    case "$tex" in
        *pdflatex) "$tex" -interaction=nonstopmode -halt-on-error tables.tex >tables.out || { tail -n 20 tables.out >&2; exit 1; } ;;
        *) "$tex" --keep-logs tables.tex >tables.out 2>&1 || { tail -n 20 tables.out >&2; exit 1; } ;;
    esac
    if grep -nE 'Overfull .hbox|multiply defined|Float too large' tables.log >&2; then exit 1; fi
    echo "the tables of {{ sweep }} fit"

# Train every set-up with published numbers, then write the table in results/published; takes many hours on a CPU; takes the options of `elbo sweep`
[group('research')]
reproduce *arguments: build
    #!/usr/bin/env bash
    set -euo pipefail
    failed=0 places=()
    for ((i = 1; i <= $#; i++)); do
        case "${!i}" in --results) next=$((i + 1)); places=(--results "${!next}") ;; --results=*) places=("${!i}") ;; esac
    done
    for experiment in $(grep -l '^reference:' experiments/reference/*.yaml); do
        {{ quote(elbo) }} sweep "$experiment" "$@" || { code=$?; [ $code -eq 1 ] && failed=1 || exit $code; }
    done
    {{ quote(elbo) }} reproduce --published results/published ${places[@]+"${places[@]}"}
    exit $failed

# Put a study's figures, tables and records, with its verdicts, into results/published; takes the options of `elbo figures`
[group('research')]
publish name *arguments: build
    @shift; {{ quote(python) }} tools/publish.py {{ quote(elbo) }} {{ quote(name) }} "$@"

# Set all published studies as one PDF, results/paper.pdf: figures and tables are drawn from the packs in results/published
[group('research')]
paper *studies: build
    @{{ quote(python) }} tools/setup.py paper
    .tools/paper/python tools/paper.py {{ quote(elbo) }} results/paper.pdf "$@"

# Run the notebooks from top to bottom on the default sweep, with pinned Python packages, into results/notebooks
[group('research')]
notebooks: build
    @{{ quote(python) }} tools/setup.py notebooks
    @{{ quote(elbo) }} sweep experiments/sweep.yaml
    @mkdir -p results/notebooks
    .tools/notebooks/python -m jupytext --to ipynb --output results/notebooks/tour.ipynb notebooks/tour.py
    .tools/notebooks/python -m nbconvert --to notebook --execute --inplace results/notebooks/tour.ipynb
    @echo "results/notebooks/tour.ipynb"

# Fetch libtorch and the build tools; milliseconds when they are there
[group('develop')]
setup:
    @{{ quote(python) }} tools/setup.py

# Build everything
[group('develop')]
build: setup
    @cargo build --workspace --quiet

# Build with the release profile and put `elbo`, `elbo-train`, manual pages and completions below a prefix: `~/.local`, `PREFIX`, or the one named here
[group('give away')]
install prefix=env("PREFIX", "~/.local"): setup
    @{{ quote(python) }} tools/dist.py install {{ quote(prefix) }}

# Remove what `./just install` put below a prefix
[group('give away')]
uninstall prefix=env("PREFIX", "~/.local"):
    @{{ quote(python) }} tools/dist.py uninstall {{ quote(prefix) }}

# Make one archive, in target/dist, of all that a bare Linux machine needs
[group('give away')]
dist: setup
    @{{ quote(python) }} tools/dist.py archive

# Make the archive, unpack it into an empty root and run the default sweep in there; takes the options of `elbo sweep`
[group('give away')]
dist-check *options: setup
    @archive=$({{ quote(python) }} tools/dist.py archive); {{ quote(python) }} tools/dist_check.py "$archive" "$@"

# Format all Rust files
[group('develop')]
fmt:
    cargo fmt --all

# Check format, lints and documentation; warnings are errors
[group('develop')]
lint: setup
    @cargo fmt --version >/dev/null 2>&1 || { echo "error: rustfmt is missing; hint: rustup component add rustfmt" >&2; exit 1; }
    @cargo clippy --version >/dev/null 2>&1 || { echo "error: clippy is missing; hint: rustup component add clippy" >&2; exit 1; }
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --workspace --no-deps --document-private-items --quiet

# Run every test; takes the options of `cargo test`
[group('develop')]
test *arguments:
    @{{ quote(python) }} tools/setup.py notebooks
    ELBO_PYTHON={{ quote(justfile_directory() / ".tools/notebooks/python") }} cargo test --workspace "$@"

# Time in turns an epoch against PyTorch, −log p(x) against pythae, and the start of `elbo`; fetches PyTorch (3 GB) at its first call
[group('develop')]
bench *arguments: build
    @{{ quote(python) }} tools/setup.py bench
    .tools/bench/python tools/bench.py "$@"

# Time trainings beside each other: two at once against one alone, for a small model and the reference model
[group('develop')]
crowd *arguments: build
    {{ quote(python) }} tools/crowd.py "$@"

# Recompute the golden numbers with PyTorch (3 GB at the first call); look at the difference before you commit it
[group('develop')]
golden-numbers:
    @{{ quote(python) }} tools/setup.py torch
    .tools/torch/python tools/golden.py
    .tools/torch/python tools/golden_measure.py >crates/measure/tests/golden.json

# Rebuild a run's model in PyTorch (3 GB at the first call) and hold its test ELBO against elbo's; without arguments a run of `./just sweep`
[group('develop')]
check-pytorch run="" images="" *arguments: build
    #!/usr/bin/env bash
    set -euo pipefail
    {{ quote(python) }} tools/setup.py torch
    run={{ quote(run) }} images={{ quote(images) }}
    shift 2 2>/dev/null || shift $#
    if [ -z "$run" ]; then
        {{ quote(elbo) }} sweep experiments/sweep.yaml --no-figures >&2
        run=$({{ quote(elbo) }} list --json --status done --dataset glyphs --where model.latent_dim=20 --where objective.beta=1 \
            | {{ quote(python) }} -c 'import json, sys; print(json.load(sys.stdin)["runs"][0]["run_id"])')
    fi
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    {{ quote(elbo) }} export "$run" --output "$folder/run" "$@" >/dev/null
    {{ quote(elbo) }} evaluate "$folder/run/experiment.yaml" --weights "$folder/run/model.safetensors" --samples 20 --json "$@" >"$folder/measured.json"
    .tools/torch/python notebooks/load_in_pytorch.py "$folder/run" "${images:-${XDG_CACHE_HOME:-$HOME/.cache}/elbo/glyphs/glyphs.h5}" "$folder/measured.json"

# Hold a report's latent explorer against `elbo decode` in a browser; needs a Python with playwright (`./just python=PATH check-explorer`) and Chromium; takes the options of `tools/explorer_check.py`
[group('develop')]
check-explorer experiment="experiments/autoencoders.yaml" *arguments: build
    #!/usr/bin/env bash
    set -euo pipefail
    shift || true
    {{ quote(elbo) }} sweep {{ quote(experiment) }} --no-figures >&2
    report=$({{ quote(elbo) }} report {{ quote(experiment) }})
    {{ quote(python) }} tools/explorer_check.py {{ quote(elbo) }} "$report" "${ELBO_RESULTS:-results}" "$@"

# Rewrite the committed snapshots of help, tables and figures; look at the difference before you commit it
[group('develop')]
golden: setup
    INSTA_UPDATE=always UPDATE_GOLDEN=1 cargo test --workspace

# What continuous integration runs: lint, then test
[group('develop')]
ci:
    .ci/run
