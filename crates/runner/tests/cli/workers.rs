//! `elbo sweep` over workers that succeed, fail, die, talk nonsense or are stopped.
//!
//! The workers are shell scripts. They cannot write records, so what a worker would record is written beforehand, by
//! [`record::RunWriter`], where a test needs it.

use std::process::{Child, Command, Stdio};

use protocol::{Event, Job, Message, Task, Version, WorkerSettings};
use record::{RunEditor, Status};
use spec::{Cell, Measurement, Metric, MetricSettings};

use crate::support::{Place, Said, begin, experiment, finish, wait_for};

/// Two cells of different shapes, so that there are two cohorts.
const TWO: &str = "
name: two
dataset: { name: glyphs }
model: { hidden: [8], latent_dim: 2 }
training: { epochs: 2 }
sweep: { grid: { model.hidden: [[8], [9]] } }
figures: [loss-curves]
";

fn cells() -> Vec<Cell> {
    experiment(TWO).cells
}

fn place(script: &str) -> Place {
    let place = Place::with_worker(script);
    place.write("two.yaml", TWO);
    place
}

/// A shell condition that holds for the first of the two cells alone; the cells are read from standard input.
const FIRST: &str = "grep -q '\"hidden\":\\[8\\]'";

#[test]
fn a_worker_is_given_its_cells_and_its_share_of_the_machine() {
    let place = place("cat > said.$$.json; echo \"$#$@ OMP=$OMP_NUM_THREADS\" > arguments.$$");
    std::fs::create_dir(place.path("somewhere")).unwrap();
    place.elbo("sweep two.yaml --jobs 1 --threads 3 --data somewhere");
    let named = |start: &str| {
        let entries = std::fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap());
        let names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.into_iter().filter(|name| name.starts_with(start)).map(|name| place.read(&name)).collect::<Vec<_>>()
    };
    let (arguments, given) = (named("arguments."), named("said."));
    assert_eq!((arguments.len(), given.len()), (2, 2));
    assert!(arguments.iter().all(|line| line.trim() == "0 OMP=3"), "{arguments:?}");
    for text in given {
        let job = Job::from_json(text.as_bytes()).unwrap();
        let WorkerSettings { results, data, threads, device, checkpoint_every_seconds } = job.settings;
        assert_eq!((results, data), (place.path("results"), Some(place.path("somewhere"))));
        assert!(threads.asked);
        assert_eq!((threads.count.get(), device, checkpoint_every_seconds), (3, spec::Device::Cpu, 10));
        assert!(job.task == Task::Train && job.cells.len() == 1 && cells().contains(&job.cells[0]));
    }
}

#[test]
fn a_worker_of_another_version_is_refused_and_its_runs_are_not_failed() {
    let own = Version::own();
    let newer = Version { protocol: own.protocol + 1, ..own.clone() };
    let other = Version { program: "99.0.0".to_owned(), ..own.clone() };
    let rebuild = "\nhint: `elbo` and `elbo-train` belong together: build both anew with `./just build`\n";
    let finished = Message::Event(Event::Finished { run_id: cells()[0].run_id(), seconds: 1.0 });
    let line = |message: &Message| serde_json::to_string(message).unwrap();
    let told = |version: &Version| {
        let told = format!("`elbo-train` is version {version}, and this program needs version {own}{rebuild}");
        // What another version says of itself beside is no matter.
        (line(&Message::Hello(version.clone())).replace("}}", r#","more":[]}}"#), told)
    };
    let silent = (line(&finished), format!("`elbo-train` does not tell its version{rebuild}"));
    for (first, complaint) in [told(&newer), told(&other), silent] {
        let place = Place::with_program(&format!("echo '{first}'; cat > /dev/null; sleep 10"));
        place.write("two.yaml", TWO);
        place.write("one.yaml", &TWO.replace("sweep:", "# sweep:"));
        for command in ["sweep two.yaml --no-figures", "evaluate one.yaml --weights own.safetensors"] {
            let said = place.elbo(command);
            assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
            assert!(said.err.ends_with(&format!("error: {complaint}")), "{said:?}");
        }
        assert_eq!(place.store().run(&cells()[0].run_id()).status().unwrap(), Status::New);
    }
}

#[test]
fn a_worker_that_ends_well_but_records_nothing_has_failed() {
    let id = cells()[0].run_id();
    let event = format!(r#"{{"event":{{"event":"finished","run_id":"{id}","seconds":1.0}}}}"#);
    let place = place(&format!("cat > /dev/null; echo '{event}'"));
    let said = place.elbo("sweep two.yaml");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("elbo-train ended without finishing the run"), "{said:?}");
    assert_eq!(said.out, "");
    // The index that results/README.md promises is there, if empty.
    assert!(place.path("results/runs.parquet").is_file());
}

#[test]
fn a_worker_that_fails_fails_its_runs_and_no_others() {
    // While the workers "train", this test records what they would have.
    let script = format!(
        "if {FIRST}; then touch dying; while ! test -e die; do sleep 0.02; done; echo 'error: out of luck' >&2; exit 1
         else touch training; while ! test -e trained; do sleep 0.02; done; fi"
    );
    let place = place(&script);
    let mut command = place.command("sweep two.yaml --jobs 2 --no-figures");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&place.path("dying"));
    wait_for(&place.path("training"));
    drop(begin(&place.store(), &cells()[0], 1));
    place.write("die", "");
    finish(&place.store(), &cells()[1]);
    place.write("trained", "");
    let said = Said::of(&place, &child.wait_with_output().unwrap());

    let reason = "elbo-train ended with exit code 1: error: out of luck";
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains(reason), "{said:?}");
    let status = |cell: &Cell| place.store().run(&cell.run_id()).status().unwrap();
    assert_eq!(status(&cells()[0]), Status::Failed { reason: reason.to_owned() });
    assert_eq!(status(&cells()[1]), Status::Done);

    // It is told again until it is asked to be retried, and the exit code stays 1.
    let again = place.elbo("sweep two.yaml --no-figures");
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("failed earlier") && again.err.contains("--retry-failed"), "{again:?}");
    let plan = place.json("plan two.yaml --json");
    assert_eq!((&plan["totals"]["failed"], &plan["cells"][0]["reason"]), (&1.into(), &reason.into()));
    assert_eq!(plan["totals"]["cohorts"], 0);
    assert_eq!(place.json("plan two.yaml --json --retry-failed")["totals"]["cohorts"], 1);
}

#[test]
fn what_ails_all_workers_is_told_once_and_in_the_end() {
    let place = place("cat > /dev/null; printf 'error: no such device\\nhint: take another\\n' >&2; exit 2");
    let said = place.elbo("sweep two.yaml --jobs 1");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(said.err.matches("no such device").count(), 2, "{said:?}");
    assert_eq!(said.err.matches("hint: take another").count(), 1, "{said:?}");
    assert!(said.err.contains(" and 1 more: elbo-train ended with exit code 2: error: no such device"), "{said:?}");
}

#[test]
fn cells_that_another_process_trains_are_not_done() {
    let place = place("exit 1");
    let [first, second] = [&cells()[0], &cells()[1]];
    finish(&place.store(), first);
    let elsewhere = begin(&place.store(), second, 1);
    let said = place.elbo("sweep two.yaml --no-figures");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("another process is training 1 cell; run this again when it is done"), "{said:?}");
    elsewhere.finish(1.0).unwrap();
    assert_eq!(place.elbo("sweep two.yaml --no-figures").code, Some(0));
}

#[test]
fn a_resumable_run_whose_worker_dies_stays_resumable() {
    let place = place("cat > /dev/null; kill -9 $$");
    let mut writer = begin(&place.store(), &cells()[0], 1);
    writer.checkpoint(1, 469, |folder| std::fs::write(folder.join("weights"), b"1")).unwrap();
    writer.interrupt().unwrap();
    let said = place.elbo("sweep two.yaml");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("was killed (signal 9)"), "{said:?}");
    assert!(said.err.contains("it can go on from epoch 1"), "{said:?}");
    assert!(said.err.contains("going on with ") && said.err.contains(" from epoch 1\n"), "{said:?}");
    assert_eq!(place.store().run(&cells()[0].run_id()).status().unwrap(), Status::Resumable { epoch: 1 });
}

#[test]
fn nonsense_from_a_worker_is_shown_and_survived() {
    let garbage = r#"cat > /dev/null; printf '\377\376\000 not json\n{"event":{"event":"fly"}}\n\033[31mred\n'; yes nonsense | head -n 5000"#;
    let said = place(garbage).elbo("sweep two.yaml");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("not json") && said.err.contains("further lines are not shown"), "{said:?}");
    assert!(!said.err.contains('\u{1b}'), "no worker colours the terminal: {said:?}");
    assert!(said.err.lines().count() < 80, "{} lines", said.err.lines().count());
}

/// Starts a sweep whose workers note the signals they get; waits until one of them runs.
fn started(place: &Place) -> Child {
    let mut command = place.command("sweep two.yaml --jobs 1");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&place.path("ready"));
    child
}

fn send(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// A worker that notes each signal, and ends some time after the first.
const NOTES: &str = "
trap 'echo INT >> signals' INT
trap 'echo TERM >> signals' TERM
cat > /dev/null
touch ready
while ! test -e signals; do sleep 0.02; done
sleep 0.3
exit 130";

#[test]
fn a_signal_is_passed_on_once() {
    for (signal, noted, code) in [("-INT", "INT\n", 130), ("-TERM", "TERM\n", 143)] {
        let place = place(NOTES);
        let child = started(&place);
        send(&child, signal);
        let said = Said::of(&place, &child.wait_with_output().unwrap());
        assert_eq!(said.code, Some(code), "{said:?}");
        assert_eq!(place.read("signals"), noted);
        assert!(said.err.contains("waiting for checkpoints"), "{said:?}");
        assert!(said.err.contains("the same command goes on from here"), "{said:?}");
        assert!(!said.err.contains("failed"), "a stopped run has not failed: {said:?}");
        assert!(said.err.matches("training vae").count() == 1, "no cohort is begun behind a signal: {said:?}");
    }
}

#[test]
fn a_second_signal_kills() {
    let place = place("trap '' INT; cat > /dev/null; echo $$ > pid; touch ready; while true; do sleep 0.1; done");
    let child = started(&place);
    send(&child, "-INT");
    std::thread::sleep(std::time::Duration::from_millis(200));
    send(&child, "-INT");
    let said = Said::of(&place, &child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(said.err.contains("killing the workers"), "{said:?}");
    let pid = place.read("pid");
    let is_gone = !Command::new("kill").args(["-0", pid.trim()]).stderr(Stdio::null()).status().unwrap().success();
    assert!(is_gone, "worker {pid} is still there");
}

#[test]
fn without_its_worker_elbo_says_how_to_get_it() {
    let place = Place::new();
    let said = place.elbo("sweep small.yaml");
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(said.err.lines().filter(|line| !line.contains("done")).collect::<Vec<_>>().join("\n"));
    assert_eq!(place.elbo("plan small.yaml").code, Some(0), "planning needs no worker");
}

#[test]
fn what_is_done_needs_no_worker() {
    let place = Place::new();
    place.write("two.yaml", TWO);
    for cell in &cells() {
        finish(&place.store(), cell);
    }
    let first = place.elbo("sweep two.yaml");
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.err.contains("2 of 2 cells done") && first.err.contains("drawing figures"), "{first:?}");
    assert!(first.out.contains("report: results/sweeps/two/report.html"), "{first:?}");
    assert!(place.path("results/runs.parquet").is_file());
    let drawn = std::fs::metadata(place.path("results/sweeps/two/report.html")).unwrap().modified().unwrap();
    let second = place.elbo("sweep two.yaml");
    assert!(!second.err.contains("drawing"), "{second:?}");
    assert_eq!(second.out, first.out);
    let still = std::fs::metadata(place.path("results/sweeps/two/report.html")).unwrap().modified().unwrap();
    assert_eq!(drawn, still);
}

/// A worker that measures: it waits until this test has recorded what it would have.
const MEASURING: &str = "cat > said.$$.json; touch measuring; while ! test -e measured; do sleep 0.02; done";

fn given(place: &Place) -> Vec<serde_json::Value> {
    let entries = std::fs::read_dir(place.path("")).unwrap().map(|entry| entry.unwrap());
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let jobs = names.filter(|name| name.starts_with("said.")).map(|name| place.read(&name));
    jobs.map(|text| serde_json::from_str(&text).unwrap()).collect()
}

#[test]
fn stored_models_are_measured_by_workers_and_only_once() {
    let place = place(MEASURING);
    for cell in &cells() {
        finish(&place.store(), cell);
    }
    // One of the two has been measured before.
    let nll = |value: f64, n: u64| Measurement::nll(value, 0.5, n, 50);
    RunEditor::open(&place.store().run(&cells()[1].run_id())).unwrap().evaluation(&[nll(91.0, 10_000)]).unwrap();

    let mut command = place.command("evaluate two.yaml --importance-samples 50");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&place.path("measuring"));
    RunEditor::open(&place.store().run(&cells()[0].run_id())).unwrap().evaluation(&[nll(90.0, 10_000)]).unwrap();
    place.write("measured", "");
    let said = Said::of(&place, &child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("pseudo_nll (samples 50)") && said.out.contains("90.00") && said.out.contains("91.00"),
        "{said:?}"
    );
    assert!(said.out.contains("reconstruction"), "beside the usual numbers: {said:?}");
    let jobs = given(&place);
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0]["task"], serde_json::json!({ "evaluate": { "importance_samples": 50, "images": null } }));
    assert_eq!(jobs[0]["cells"], serde_json::json!([cells()[0]]));

    // Now nothing is missing, whether it is asked for here or in the experiment.
    assert_eq!(place.elbo("evaluate two.yaml --importance-samples 50").out, said.out);
    place.write("two.yaml", &format!("{TWO}evaluation: {{ importance_samples: 50 }}\n"));
    assert_eq!(place.elbo("sweep two.yaml --no-figures").code, Some(0));
    assert_eq!(given(&place).len(), 1);
}

#[test]
fn a_sweep_measures_what_the_experiment_asks_for() {
    let place = place(MEASURING);
    place.write("two.yaml", &format!("{TWO}evaluation: {{ importance_samples: 50, images: 100 }}\n"));
    for cell in &cells() {
        finish(&place.store(), cell);
    }
    // Of other images, or with another number of samples, it is not what is asked for.
    let others = [Measurement::nll(1.0, 0.5, 10_000, 50), Measurement::nll(1.0, 0.5, 100, 5000)];
    RunEditor::open(&place.store().run(&cells()[0].run_id())).unwrap().evaluation(&others).unwrap();
    place.write("measured", "");
    let said = place.elbo("sweep two.yaml --no-figures");
    // The worker has recorded nothing.
    assert_eq!(said.code, Some(1), "{said:?}");
    // Both for the same reason.
    let told = format!("not measured: {} and 1 more: ", cells()[0].readable_name());
    assert!(said.err.matches("not measured: ").count() == 1 && said.err.contains(&told), "{said:?}");
    assert_eq!(given(&place).len(), 2);
    let status = |cell: &Cell| place.store().run(&cell.run_id()).status().unwrap();
    assert!(cells().iter().all(|cell| status(cell) == Status::Done), "what was trained stays done");
    assert!(!said.out.contains("nll"), "{said:?}");
}

#[test]
fn without_trained_models_there_is_nothing_to_be_measured() {
    let place = place("exit 1");
    let said = place.elbo("evaluate two.yaml --importance-samples 50");
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.err.contains("2 of 2 cells are not trained"), "{said:?}");
}

#[test]
fn an_estimate_that_hangs_on_a_few_samples_is_told() {
    let place = place("exit 1");
    for (cell, effective) in cells().iter().zip([3.25, 40.0]) {
        finish(&place.store(), cell);
        let samples = MetricSettings::samples(50);
        let rows = [
            Measurement::nll(90.0, 0.5, 10_000, 50),
            Measurement {
                metric: Metric::EffectiveSamples,
                value: effective,
                ..Measurement::nll(0.0, 0.1, 10_000, 50)
            },
        ];
        assert_eq!(rows[1].settings, samples);
        RunEditor::open(&place.store().run(&cell.run_id())).unwrap().evaluation(&rows).unwrap();
    }
    let warning = format!("warning: −log p(x) of {} hangs on few", cells()[0].readable_name());
    let told = |said: &Said| said.err.matches(&warning).count();
    let said = place.elbo("evaluate two.yaml --importance-samples 50");
    assert_eq!((said.code, told(&said)), (Some(0), 1), "{said:?}");
    assert!(said.err.contains("worth 3.2") && said.err.contains("hint: raise `importance_samples`"), "{said:?}");
    place.write("two.yaml", &format!("{TWO}evaluation: {{ importance_samples: 50 }}\n"));
    assert_eq!(told(&place.elbo("sweep two.yaml --no-figures")), 1);
    // Other samples were asked for.
    place.write("two.yaml", TWO);
    assert_eq!(told(&place.elbo("sweep two.yaml --no-figures")), 0);
}
