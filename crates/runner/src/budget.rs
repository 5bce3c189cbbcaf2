//! A budget of hours: where an experiment does not fit, every cell is trained for a share of its epochs. Seeds are never cut.

use anyhow::{Result, bail};
use record::Store;
use spec::Experiment;

use crate::args::{ExperimentArgs, SweepArgs};
use crate::calibration::Paces;
use crate::claim::is_same_file;
use crate::identity::{Need, load};
use crate::machine::Machine;
use crate::output;
use crate::plan::{Goal, Plan, PlanRequest};
use crate::settings::{Settings, experiment_file};

/// The path that a budget sets.
const EPOCHS: &str = "training.epochs";

/// The experiment, shortened to what its hours allow if they are given; what was chosen for these hours before is chosen again.
///
/// # Errors
/// If the experiment cannot be loaded, how long it takes cannot be told, or a hundredth of its epochs takes longer than that.
pub fn load_within(settings: &Settings, args: &SweepArgs) -> Result<Experiment> {
    let whole = || load(settings, &args.experiment, Need::Images);
    let Some(hours) = args.hours else { return whole() };
    if args.experiment.set.iter().any(|set| set.split_once('=').is_some_and(|(path, _)| path.trim() == EPOCHS)) {
        bail!("`--hours` chooses the epochs, and `--set {EPOCHS}=…` does too\nhint: leave one of the two out");
    }
    let store = settings.store()?;
    let experiment = match earlier(settings, args, hours, &store)? {
        Some(chosen) => chosen,
        None => choose(settings, args, hours, &store, whole()?)?,
    };
    if let Some(percent) = experiment.epochs_percent {
        output::say(&format!(
            "note: shortened: to fit {hours} h, each cell is trained for at most {percent} % of the epochs that the file asks for; all \
             cells and seeds stay\nhint: `--set {EPOCHS}={percent}%` names these runs for `elbo compare`, `report` and `figures`"
        ));
    }
    Ok(experiment)
}

/// The experiment as an earlier sweep with these hours shortened it.
fn earlier(settings: &Settings, args: &SweepArgs, hours: f64, store: &Store) -> Result<Option<Experiment>> {
    let file = experiment_file(&args.experiment.experiment);
    for folder in store.sweeps()? {
        let Some(name) = folder.path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(kept) = store.kept_sweep(name)? else { continue };
        let Some((last, before)) = kept.set.split_last() else { continue };
        let is_share = last.split_once('=').is_some_and(|(path, value)| path == EPOCHS && value.ends_with('%'));
        if kept.hours != Some(hours) || !is_share || before != args.experiment.set || !is_same_file(&kept.file, &file) {
            continue;
        }
        let set = kept.set.clone();
        let again = load(settings, &ExperimentArgs { set, ..args.experiment.clone() }, Need::Images)?;
        // Of a file that has other cells by now, the time is another too.
        if again.cells.iter().map(spec::Cell::run_id).collect::<std::collections::BTreeSet<_>>() == kept.ids() {
            return Ok(Some(again));
        }
    }
    Ok(None)
}

/// The whole experiment where it fits, or else the largest share of its epochs that does.
fn choose(settings: &Settings, args: &SweepArgs, hours: f64, store: &Store, whole: Experiment) -> Result<Experiment> {
    let folders = settings.folders()?;
    let mut paces = Paces::load(&folders);
    let mut seconds = |experiment: &Experiment| -> Result<f64> {
        let request = PlanRequest { goal: Goal::Train, retry_failed: args.retry.retry_failed };
        let mut plan = Plan::make(experiment, store, &folders, &args.execution, Machine::here(), request)?;
        paces.complete(&plan, settings)?;
        plan.estimate(&paces);
        match plan.seconds() {
            Some(seconds) => Ok(seconds),
            None => bail!("how long `{}` takes is not known\nhint: leave `--hours` out", experiment.name),
        }
    };
    let budget = hours * 3600.0;
    let needed = seconds(&whole)?;
    if needed <= budget {
        return Ok(whole);
    }
    output::say(&format!("{}: takes about {}, more than {hours} h", whole.name, spec::duration(needed)));
    let share = |percent: u32| {
        let mut args = args.experiment.clone();
        args.set.push(format!("{EPOCHS}={percent}%"));
        load(settings, &args, Need::Images)
    };
    let mut fits = share(1)?;
    let least = seconds(&fits)?;
    if least > budget {
        bail!(
            "a hundredth of the epochs takes about {}, more than {hours} h, and neither cells nor seeds are cut\n\
             hint: give more hours, or sweep fewer values by `--set`",
            spec::duration(least)
        );
    }
    let (mut low, mut high) = (1, 100);
    while high - low > 1 {
        let middle = u32::midpoint(low, high);
        let shorter = share(middle)?;
        if seconds(&shorter)? <= budget {
            (low, fits) = (middle, shorter);
        } else {
            high = middle;
        }
    }
    Ok(fits)
}
