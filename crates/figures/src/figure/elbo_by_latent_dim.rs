//! The ELBO's terms at the end against the latent dimension, a panel for each term, a line for each β.

use spec::Metric;

use super::by_latent_dim::{self, Quantity, Said};
use super::{Choice, Drawn};
use crate::records::Group;

pub fn draw(mut choice: Choice<'_>) -> Drawn {
    let has = |group: &Group, term: Metric| group.last(term).is_some();
    let none = "no finished run has any of the ELBO's terms";
    choice.keep("no term of the ELBO", none, |group| Metric::bound().any(|term| has(group, term)))?;
    let quantity = |term: Metric| Quantity {
        title: term.about().title,
        unit: "nats per image",
        axis: term.about().title,
        of: Box::new(move |group: &Group| group.last(term)),
    };
    by_latent_dim::draw(choice, Metric::bound().map(quantity).collect(), |groups| Said {
        what: "Terms of the ELBO on the test images after training, in nats per image".to_owned(),
        remarks: match groups.iter().all(|group| has(group, Metric::Elbo)) {
            true => String::new(),
            false => " Models without a bound have a reconstruction alone.".to_owned(),
        },
    })
}
