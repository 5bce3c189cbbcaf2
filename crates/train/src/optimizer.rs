//! Adam along the replica axis, each replica with its own learning rate.

use std::ffi::{CStr, c_char};

use anyhow::{Context as _, bail};
use tch::Tensor;

/// Adam (Kingma & Ba 2015, algorithm 1), with the moments it keeps; the same arithmetic as PyTorch's `fused=True`.
#[derive(Debug)]
pub struct Adam {
    /// Decaying mean of the gradient, one tensor a parameter, of the parameter's shape.
    pub first: Vec<Tensor>,
    /// Decaying mean of the squared gradient, likewise.
    pub second: Vec<Tensor>,
    /// Updates made so far.
    pub step: u64,
    /// Each replica's settings.
    settings: Vec<spec::Adam>,
}

impl Adam {
    /// Moments of zero for parameters whose leading axis is the replicas'.
    pub fn new(parameters: &[&Tensor], settings: Vec<spec::Adam>) -> Adam {
        let zeros = || parameters.iter().map(|parameter| parameter.detach().zeros_like()).collect();
        Adam { first: zeros(), second: zeros(), step: 0, settings }
    }

    /// One update of every parameter in place, with gradients in the parameters' order and `factor` times the step size.
    ///
    /// Errors when libtorch refuses the tensors, such as for shapes that differ.
    pub fn update(&mut self, parameters: &[&Tensor], gradients: &[Tensor], factor: f64) -> anyhow::Result<()> {
        self.step += 1;
        let gradients: Vec<&Tensor> = gradients.iter().collect();
        let (first, second): (Vec<_>, Vec<_>) = (self.first.iter().collect(), self.second.iter().collect());
        let Some(common) = self.settings.first().filter(|one| self.settings.iter().all(|other| other == *one)) else {
            for (replica, settings) in self.settings.iter().enumerate() {
                let own = |tensors: &[&Tensor]| -> Vec<Tensor> {
                    tensors.iter().map(|tensor| tensor.detach().select(0, replica as i64)).collect()
                };
                let (p, g, m, v) = (own(parameters), own(&gradients), own(&first), own(&second));
                fused_update(&refs(&p), &refs(&g), &refs(&m), &refs(&v), self.step, settings, factor)?;
            }
            return Ok(());
        };
        fused_update(parameters, &gradients, &first, &second, self.step, common, factor)
    }
}

fn refs(tensors: &[Tensor]) -> Vec<&Tensor> {
    tensors.iter().collect()
}

/// A C++ `at::Tensor`.
#[repr(C)]
struct RawTensor {
    _private: [u8; 0],
}

#[expect(unsafe_code, reason = "declares the function that adam.cpp defines, with the same signature")]
unsafe extern "C" {
    fn elbo_adam(
        parameters: *const *const RawTensor,
        gradients: *const *const RawTensor,
        first: *const *const RawTensor,
        second: *const *const RawTensor,
        n: usize,
        step: f64,
        learning_rate: f64,
        beta1: f64,
        beta2: f64,
        epsilon: f64,
        error: *mut c_char,
        capacity: usize,
    ) -> bool;
}

fn fused_update(
    parameters: &[&Tensor],
    gradients: &[&Tensor],
    first: &[&Tensor],
    second: &[&Tensor],
    step: u64,
    settings: &spec::Adam,
    factor: f64,
) -> anyhow::Result<()> {
    let raw = |tensors: &[&Tensor]| -> Vec<*const RawTensor> { tensors.iter().map(|t| t.as_ptr().cast()).collect() };
    let lists = [raw(parameters), raw(gradients), raw(first), raw(second)];
    if lists.iter().any(|list| list.len() != parameters.len()) {
        bail!("as many gradients and moments as parameters are needed");
    }
    let mut error: [c_char; 512] = [0; 512];
    let spec::Adam { learning_rate, beta1, beta2, epsilon, schedule: _ } = settings;
    #[expect(unsafe_code, reason = "calls adam.cpp; the proof stands below")]
    // SAFETY: a tch tensor's pointer is that of a live `at::Tensor`, which the borrows in the arguments keep alive for the
    // call; all four lists have `n` entries (checked above); `error` has the capacity that is passed; the function
    // throws nothing (`noexcept`, everything caught). It writes through parameters and moments: their storage is
    // libtorch's, behind a reference count and never borrowed by Rust, so no Rust reference aliases it.
    let done = unsafe {
        elbo_adam(
            lists[0].as_ptr(),
            lists[1].as_ptr(),
            lists[2].as_ptr(),
            lists[3].as_ptr(),
            parameters.len(),
            step as f64,
            learning_rate * factor,
            *beta1,
            *beta2,
            *epsilon,
            error.as_mut_ptr(),
            error.len(),
        )
    };
    if !done {
        let bytes: Vec<u8> = error.iter().map(|&byte| byte as u8).collect();
        let message = CStr::from_bytes_until_nul(&bytes).context("libtorch's message does not end")?;
        bail!("adam's update failed: {}", message.to_string_lossy());
    }
    Ok(())
}
