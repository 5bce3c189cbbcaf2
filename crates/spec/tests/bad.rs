//! Every bad spec is refused, quickly, at the right place, and with words that tell what to do.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spec::{Experiment, SpecError};

/// How long a bad file may keep anyone waiting; a debug build on a busy machine is given more.
const SOON: Duration = Duration::from_secs(5);

fn refused(file: &str, text: &[u8], overrides: &[&str]) -> SpecError {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let start = Instant::now();
    let result = Experiment::parse(file, text, &overrides);
    assert!(start.elapsed() < SOON, "{file} took {:?}", start.elapsed());
    match result {
        Ok(experiment) => panic!("{file} was accepted with {} cells", experiment.cells.len()),
        Err(error) => error,
    }
}

/// The corpus in `tests/bad`, one snapshot for each group of files (what stands before the first hyphen).
#[test]
fn corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 60, "only {} files", files.len());
    let mut groups: Vec<(String, String)> = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read(&file).unwrap();
        let error = refused(&format!("{name}.yaml"), &text, &[]);
        for diagnostic in error.diagnostics() {
            assert!(diagnostic.position.is_some() || text.is_empty(), "{name} has no place: {diagnostic}");
            assert!(diagnostic.hint.is_some(), "{name} has no hint: {diagnostic}");
        }
        let group = name.split('-').next().unwrap().to_owned();
        if groups.last().is_none_or(|(last, _)| *last != group) {
            groups.push((group, String::new()));
        }
        write!(groups.last_mut().unwrap().1, "error: {error}\n\n").unwrap();
    }
    for (group, messages) in groups {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(group, messages) });
    }
}

const GOOD: &str = "name: x\ndataset: { name: mnist }\nmodel: { hidden: [400], latent_dim: 20, likelihood: bernoulli }\nsweep: { grid: { training.seed: [0, 1] } }\n";

#[test]
fn overrides() {
    let mut messages = String::new();
    for text in [
        "training.epochs",
        "",
        "=3",
        "training.epochs=",
        "training.epochs=many",
        "training.epoch=3",
        "epochs=3",
        "trainig.epochs=3",
        "training.epochs=[1, 2]",
        "training.seed=-1",
        "model={",
        "model.latent_dim=0",
        "model.likelihood.gaussian.sigma=2",
        "execution.job=2",
        "execution.jobs=none",
        "figures.0=samples",
        "name.x=y",
        "name=A b",
        "sweep.grid.training.sed=[1]",
        "sweep.gird.training.seed=[1]",
        "sweep=3",
        "a\nb=\u{7}",
    ] {
        let error = refused("experiments/x.yaml", GOOD.as_bytes(), &[text]);
        assert!(error.diagnostics().iter().all(|diagnostic| diagnostic.hint.is_some()), "{error}");
        write!(messages, "error: {error}\n\n").unwrap();
    }
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(messages) });
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("latent-dims.yaml", GOOD.as_bytes());
    write("latin1.yaml", b"name: x\n# caf\xe9\ndataset: { name: mnist }\n");
    write("utf16.yaml", b"\xff\xfen\0a\0m\0e\0:\0 \0x\0");
    write("image.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    write("zeros.yaml", &[0; 1000]);
    write("large.yaml", &vec![b'a'; (1 << 20) + 1]);
    let huge = std::fs::File::create(folder.path().join("huge.yaml")).unwrap();
    huge.set_len(1 << 40).unwrap_or_else(|_| huge.set_len(1 << 30).unwrap());
    std::fs::create_dir(folder.path().join("folder.yaml")).unwrap();
    let mut messages = String::new();
    let files = [
        "missing.yaml",
        "latent_dim.yaml",
        "latent-dims",
        "nowhere/x.yaml",
        "latent-dims.yaml/x",
        "folder.yaml",
        ".",
        "latin1.yaml",
        "utf16.yaml",
        "image.png",
        "zeros.yaml",
        "large.yaml",
        "huge.yaml",
    ];
    for name in files {
        let start = Instant::now();
        let error = Experiment::load(&folder.path().join(name), &[]).unwrap_err();
        assert!(start.elapsed() < SOON);
        assert!(error.diagnostics().iter().all(|diagnostic| diagnostic.hint.is_some()), "{error}");
        write!(messages, "error: {}\n\n", error.to_string().replace(folder.path().to_str().unwrap(), "FOLDER"))
            .unwrap();
    }
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(messages) });
    assert!(Experiment::load(&folder.path().join("latent-dims.yaml"), &[]).is_ok());
}

#[cfg(unix)]
#[test]
fn an_endless_file_is_not_read_to_its_end() {
    let error = Experiment::load(Path::new("/dev/zero"), &[]).unwrap_err();
    assert!(error.to_string().starts_with("the file is larger than 1 MiB"), "{error}");
}

/// Files made to use up stack, memory or time, as large as is read at all.
#[test]
fn hostile_files() {
    /// Almost a MiB, so that there is room for what stands around it.
    const MIB: usize = (1 << 20) - 1000;
    let fill = |unit: &str| unit.repeat(MIB / unit.len());
    let numbered = |line: &dyn Fn(usize) -> String| {
        (0..)
            .map(line)
            .scan(0, |size, line| {
                *size += line.len();
                (*size <= MIB).then_some(line)
            })
            .collect::<String>()
    };
    let cases = [
        ("open-lists", "[".repeat(800_000)),
        ("open-maps", "{".repeat(800_000)),
        ("open-pairs", "{a: ".repeat(200_000)),
        ("block-lists", "- ".repeat(400_000)),
        ("block-maps", (0..1000).map(|n| format!("{}a:\n", " ".repeat(n))).collect()),
        ("question-marks", "? ".repeat(400_000)),
        ("closing", "]".repeat(800_000)),
        ("scalar", fill("a")),
        ("words", fill("a ")),
        ("lines", fill("a\n")),
        ("empty-lines", fill("\n")),
        ("spaces", fill(" ")),
        ("tabs", fill("\t")),
        ("comments", fill("# c\n")),
        ("quoted", format!("\"{}", fill("a"))),
        ("escapes", format!("\"{}", fill("\\"))),
        ("colons", fill(":")),
        ("pairs", fill("a: b\n")),
        ("colon-pairs", fill("a:b: ")),
        ("dashes", fill("-")),
        ("documents", fill("---\n")),
        ("anchors", fill("&a ")),
        ("anchored", numbered(&|n| format!("- &a{n} x\n"))),
        ("aliases", format!("- &a [x, x, x, x]\n{}", "- *a\n".repeat(200_000))),
        ("tags", fill("! ")),
        ("directives", fill("%A b\n")),
        ("block-scalar", format!("a: |\n{}", fill(" x\n"))),
        ("keys", numbered(&|n| format!("k{n}: 1\n"))),
        ("items", format!("[{}]", "1,".repeat(500_000))),
        ("digits", format!("name: {}", "9".repeat(1_000_000))),
        ("long-key", format!("{}: 1", "k".repeat(1_000_000))),
        ("long-key-quoted", format!("? \"{}\"\n: 1", "k".repeat(1_000_000))),
        ("long-value", format!("{GOOD}training: {{ epochs: {} }}", "x".repeat(1_000_000))),
        ("long-name", GOOD.replace("name: x", &format!("name: {}", "n".repeat(1_000_000)))),
        ("long-path", GOOD.replace("training.seed", &format!("\"training.{}\"", "s".repeat(900)))),
        ("deep-path", GOOD.replace("training.seed", &format!("\"training{}\"", ".s".repeat(400)))),
        ("hidden", GOOD.replace("[400]", &format!("[{}]", "1,".repeat(90_000)))),
        ("seeds", GOOD.replace("[0, 1]", &format!("[{}]", "1,".repeat(90_000)))),
        (
            "axes",
            format!("{GOOD}sweep2: 1\n").replace(
                "{ training.seed: [0, 1] }",
                &format!("{{ {} }}", (0..20_000).map(|n| format!("training.s{n}: [0], ")).collect::<String>()),
            ),
        ),
        ("excludes", GOOD.replace("grid:", &format!("exclude: [{}], grid:", "{ training.seed: 7 },".repeat(300)))),
        ("not-characters", fill("\u{feff}")),
        ("wide", fill("é")),
        ("bells", fill("\u{7}")),
    ];
    let mut messages = String::new();
    for (name, text) in cases {
        assert!(text.len() <= 1 << 20, "{name} is too large to be read");
        let error = refused(name, text.as_bytes(), &[]).to_string();
        assert!(error.len() < 10_000, "{name}: {} bytes of message", error.len());
        write!(messages, "error: {error}\n\n").unwrap();
    }
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(messages) });
}

/// The `n`-th alias repeats the one before it ten times: 10⁹ values written out.
#[test]
fn alias_bombs() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        writeln!(text, "a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 10].join(", ")).unwrap();
    }
    let error = refused("bomb.yaml", text.as_bytes(), &[]).to_string();
    assert!(error.starts_with("more than 100000 values"), "{error}");
    // A chain of aliases grows in depth instead.
    let chain: String = (1..2000).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)).collect();
    let error = refused("chain.yaml", format!("a0: &a0 [x]\n{chain}").as_bytes(), &[]).to_string();
    assert!(error.starts_with("lists and mappings nested more than 32 deep"), "{error}");
}
