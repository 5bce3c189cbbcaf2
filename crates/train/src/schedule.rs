//! What changes while training, as pure functions of the step.

use spec::Objective;

/// β at a step: it rises linearly from 0 over the warm-up epochs, then stays.
pub fn beta(objective: &Objective, epoch: u32, step_in_epoch: u64, steps_per_epoch: u64) -> f64 {
    if objective.warm_up_epochs == 0 {
        return objective.beta;
    }
    let epochs = f64::from(epoch) + step_in_epoch as f64 / steps_per_epoch.max(1) as f64;
    objective.beta * (epochs / objective.warm_up_epochs as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_warms_up_linearly_then_stays() {
        let objective = Objective { beta: 4.0, warm_up_epochs: 2 };
        let at = |epoch, step| beta(&objective, epoch, step, 10);
        assert_eq!([at(0, 0), at(0, 5), at(1, 0), at(2, 0), at(9, 3)], [0.0, 1.0, 2.0, 4.0, 4.0]);
        assert_eq!(beta(&Objective { beta: 0.5, warm_up_epochs: 0 }, 0, 0, 10), 0.5);
    }
}
