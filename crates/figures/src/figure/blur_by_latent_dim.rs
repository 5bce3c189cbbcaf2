//! Whether a wider latent space makes images sharper: equivalent blur, PSNR and SSIM against the latent dimension.

use spec::metric::Subject;
use spec::{Metric, MetricSettings, Split};

use super::blur::Blur;
use super::by_latent_dim::{self, Quantity, Said};
use super::{Choice, Drawn};
use crate::notes;
use crate::records::{Group, OverSeeds};

/// Whose blur there is, and in captions.
const BLURRED: [(Subject, &str); 2] = [(Subject::Reconstructions, "reconstructions"), (Subject::Samples, "samples")];

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let none = "neither blur nor fidelity of any finished run's images was measured";
    choice.keep("no blur, PSNR or SSIM", none, |group| quantities().iter().any(|one| (one.of)(group).is_some()))?;
    by_latent_dim::draw(choice, quantities(), said)
}

fn quantities() -> Vec<Quantity> {
    let blur = |title, subject| Quantity {
        title,
        unit: "",
        axis: "blur",
        of: Box::new(move |group: &Group| Blur::of(group, subject)?.pixels()),
    };
    let fidelity = |title, metric: Metric| Quantity {
        title,
        unit: "",
        axis: metric.about().title,
        of: Box::new(move |group: &Group| of(group, metric)),
    };
    vec![
        blur("blur of reconstructions (pixels)", Subject::Reconstructions),
        blur("blur of samples (pixels)", Subject::Samples),
        fidelity("PSNR of reconstructions (dB)", Metric::Psnr),
        fidelity("SSIM of reconstructions", Metric::Ssim),
    ]
}

/// At the posterior's mean.
fn of(group: &Group, metric: Metric) -> Option<OverSeeds> {
    group.measured(metric, Split::Test, &MetricSettings::default())
}

fn said(groups: &[&Group]) -> Said {
    let what = "Equivalent blur of reconstructions and of samples from the prior, σ in pixels of the Gaussian blur of the test images that makes \
                these as sharp for their contrast, and PSNR and SSIM of reconstructions, all decoder means and at the posterior's mean"
        .to_owned();
    let sharper = |(subject, name): (Subject, &str)| {
        let is_sharper = |group: &&&Group| matches!(Blur::of(group, subject), Some(Blur::Ratio(_)));
        let sharper: Vec<String> = groups.iter().filter(is_sharper).map(|group| group.key.name()).collect();
        match sharper.as_slice() {
            [] => String::new(),
            names => format!(
                " Without a blur, since some seed's {name} are sharper than the test images: {}.",
                names.join("; ")
            ),
        }
    };
    let sharper: String = BLURRED.into_iter().map(sharper).collect();
    Said { what, remarks: format!("{sharper}{}", notes::clipped(groups)) }
}
