//! Equivalent blur of a group's images, or that they are sharper than the test images.

use spec::metric::Subject;
use spec::{Metric, MetricSettings, Split};

use crate::axis::fixed;
use crate::records::{Group, OverSeeds};

/// How blurred images are, over seeds.
#[derive(Clone, Debug, PartialEq)]
pub enum Blur {
    /// σ of the equivalent blur of each seed's images, in pixels.
    Pixels(OverSeeds),
    /// Some seed's images are sharper than the test images and have no blur: their sharpness over that of the test images.
    Ratio(OverSeeds),
}

impl Blur {
    /// Of these images of a group; `None` where it was not measured.
    pub fn of(group: &Group, subject: Subject) -> Option<Blur> {
        let measured = |metric| group.measured(metric, Split::Test, &MetricSettings::of(subject));
        let ratio = measured(Metric::SharpnessRatio)?;
        let pixels = measured(Metric::EquivalentBlur).filter(|blur| blur.values.len() == ratio.values.len());
        Some(pixels.map_or(Blur::Ratio(ratio), Blur::Pixels))
    }

    /// The blur in pixels of every seed; `None` where some seed has none.
    pub fn pixels(self) -> Option<OverSeeds> {
        match self {
            Blur::Pixels(over) => Some(over),
            Blur::Ratio(_) => None,
        }
    }

    /// `0.82 ± 0.03 px`, or `sharper (1.08)` with the ratio; the half width where there are seeds enough for an interval.
    pub fn words(&self) -> String {
        let half = |over: &OverSeeds| match (over.interval(), over.estimate.half_width) {
            (Some(_), Some(half)) => format!(" ± {}", fixed(half, 2)),
            _ => String::new(),
        };
        match self {
            Blur::Pixels(over) => format!("{}{} px", fixed(over.mean(), 2), half(over)),
            Blur::Ratio(over) if over.mean() >= 1.0 => format!("sharper ({}{})", fixed(over.mean(), 2), half(over)),
            Blur::Ratio(over) => format!("ratio {}{}", fixed(over.mean(), 2), half(over)),
        }
    }
}
