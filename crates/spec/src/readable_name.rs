//! What runs are called for people.

use crate::cell::Cell;

impl Cell {
    /// A name for people, such as `vae-mnist-z20-b1-s0` or `vae-conv-vamp-mnist-z40-b1-s0`, with a word for each part that is
    /// not a plain VAE's; several cells may share it.
    pub fn readable_name(&self) -> String {
        let images = self.dataset.name.readable_name();
        let name = self.model.kind.readable_name(self, &self.tags(), &images);
        format!("{name}-s{}", self.training.seed)
    }

    /// A word for each part of the model and the objective that is not the default, each after a hyphen.
    fn tags(&self) -> String {
        let model = &self.model;
        let parts = [
            model.net.tag(),
            model.latent.tag(),
            model.prior.tag(),
            model.likelihood.tag(),
            model.corruption.tag(),
            self.objective.kind.tag(),
        ];
        parts.into_iter().flatten().map(|tag| format!("-{tag}")).collect()
    }
}
