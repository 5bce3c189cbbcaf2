//! Whatever is done to a good spec, it is read or refused; it never panics.

use proptest::prelude::*;
use spec::Experiment;

const GOOD: &[&str] = &[
    "# Question\nname: latent-dims\ndataset: { name: mnist, pixels: gray }\nmodel: { kind: vae, hidden: [400], activation: relu, latent_dim: 20, likelihood: bernoulli }\nobjective: { beta: 1.0 }\noptimizer: { adam: { learning_rate: 1e-3 } }\ntraining: { epochs: 20, batch_size: 128, seed: 0, precision: f32 }\nsweep:\n  grid: { model.latent_dim: [2, 5], objective.beta: [0.5, 1, 4], training.seed: [0, 1] }\nfigures: [loss-curves, reconstructions]\n",
    "name: x\ndataset:\n  name: { hdf5: \"../data/é.h5\" }\n  validation: 10\nmodel:\n  hidden:\n  - &w 400\n  - *w\n  latent_dim: 2\n  likelihood: { gaussian: { sigma: 0.1 } }\nsweep:\n  zip: { objective.beta: [1, 4], training.epochs: [20, 40] }\n  random: { count: 3, seed: 1, optimizer.adam.learning_rate: { log-uniform: [1e-4, 1e-2] }, training.seed: { integer: [0, 9] }, model.hidden: { choice: [[1], []] } }\n  exclude: [{ objective.beta: 4, training.epochs: 3 }]\n  include: [{ model.latent_dim: 100 }]\n  when:\n  - { if: { model.latent_dim: [2, 100] }, set: { training.epochs: 50 } }\nexecution: { jobs: 2, device: cpu }\n",
];

/// Pieces that mean something to YAML or to a spec.
const PIECES: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ":",
    ": ",
    "- ",
    ",",
    "\n",
    "\n  ",
    "\t",
    "#",
    "&a ",
    "*a",
    "!x ",
    "|",
    ">",
    "'",
    "\"",
    "\\",
    "%",
    "@",
    "`",
    "?",
    "~",
    "null",
    "true",
    ".nan",
    ".inf",
    "-1",
    "0",
    "1e999",
    "1e-999",
    "0x",
    "0o9",
    "99999999999999999999999",
    "-0.0",
    "1_0",
    "---\n",
    "...\n",
    "<<: ",
    "é",
    "\u{feff}",
    "\0",
    "\r",
    "model.latent_dim",
    "sweep:",
    "grid:",
    "training.seed: [0]",
    "gaussian",
    "[[]]",
    "{}",
    "..",
    ".",
];

#[derive(Clone, Debug)]
enum Mutation {
    Insert(usize, usize),
    Delete(usize, usize),
    Copy(usize, usize, usize),
    Byte(usize, u8),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<usize>(), 0..PIECES.len()).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        (any::<usize>(), 1..12usize).prop_map(|(at, n)| Mutation::Delete(at, n)),
        (any::<usize>(), any::<usize>(), 1..60usize).prop_map(|(from, to, n)| Mutation::Copy(from, to, n)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
    ]
}

fn mutate(text: &mut Vec<u8>, mutation: &Mutation) {
    let place = |at: usize, text: &[u8]| at % (text.len() + 1);
    match *mutation {
        Mutation::Insert(at, piece) => {
            let at = place(at, text);
            text.splice(at..at, PIECES[piece].bytes());
        }
        Mutation::Delete(at, n) => {
            let at = place(at, text);
            text.drain(at..(at + n).min(text.len()));
        }
        Mutation::Copy(from, to, n) => {
            let (from, to) = (place(from, text), place(to, text));
            let piece = text[from..(from + n).min(text.len())].to_vec();
            text.splice(to..to, piece);
        }
        Mutation::Byte(at, byte) => {
            let at = place(at, text);
            if let Some(there) = text.get_mut(at) {
                *there = byte;
            }
        }
    }
}

fn try_it(text: &[u8], overrides: &[String]) {
    match Experiment::parse("x.yaml", text, overrides) {
        Ok(experiment) => {
            assert!(!experiment.cells.is_empty());
            for cell in &experiment.cells {
                assert!(cell.check().is_ok());
                assert_eq!(cell.run_id().as_str().len(), 16);
                cell.readable_name();
            }
        }
        Err(error) => {
            assert!(!error.diagnostics().is_empty());
            assert!(error.to_string().len() < 20_000);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn mutated_specs(which in 0..GOOD.len(), mutations in prop::collection::vec(mutation(), 1..6)) {
        let mut text = GOOD[which].as_bytes().to_vec();
        for mutation in &mutations {
            mutate(&mut text, mutation);
        }
        try_it(&text, &[]);
    }

    #[test]
    fn mutated_overrides(which in 0..4usize, mutations in prop::collection::vec(mutation(), 0..4)) {
        let overrides = ["training.epochs=3", "sweep.grid.training.seed=[0, 1]", "model.likelihood={ gaussian: { sigma: 2 } }", "sweep.random={ count: 2, training.seed: { integer: [0, 9] } }"];
        let mut text = overrides[which].as_bytes().to_vec();
        for mutation in &mutations {
            mutate(&mut text, mutation);
        }
        try_it(GOOD[0].as_bytes(), &[String::from_utf8_lossy(&text).into_owned()]);
    }

    #[test]
    fn any_bytes(text in prop::collection::vec(any::<u8>(), 0..200)) {
        try_it(&text, &[]);
    }
}
