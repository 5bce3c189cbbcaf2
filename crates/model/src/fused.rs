//! Arithmetic of plain numbers in functions that are compiled for several kinds of processors.

/// a·b + c, rounded once where `FUSED`.
#[inline(always)]
pub(crate) fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}
