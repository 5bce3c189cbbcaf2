//! Terms and gradients against PyTorch's, from the dumps that `tools/golden.py` and `tools/golden_families.py` wrote.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod families;
mod formula;
mod harness;
mod vae_784_400_20;
