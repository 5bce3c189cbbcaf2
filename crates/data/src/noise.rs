//! Counter-based random numbers in integers alone: a pure function of their key, the same on every machine.

/// The finaliser of SplitMix64 (Steele, Lea & Flood 2014): a bijection on 64 bits with good avalanche.
const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The golden ratio's odd fraction of 2⁶⁴, by which SplitMix64 steps its counter.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// One key out of several words; the order of the words matters.
pub fn key(words: &[u64]) -> u64 {
    words.iter().fold(0, |key, &word| mix(key.wrapping_add(STEP) ^ mix(word.wrapping_add(STEP))))
}

/// The `counter`-th 64 random bits under `key`.
pub const fn bits(key: u64, counter: u64) -> u64 {
    mix(key.wrapping_add(counter.wrapping_add(1).wrapping_mul(STEP)))
}

/// A whole number in `0..n`, uniform up to a bias of n/2³².
pub const fn below(key: u64, counter: u64, n: u32) -> u32 {
    (((bits(key, counter) >> 32) * n as u64) >> 32) as u32
}

/// Draws each pixel as Bernoulli(gray / 255) into 0 or 255; `pixels` and `out` have the same length.
///
/// The draw is a pure function of (`seed`, `stream`, `image_index`, position in the image). `stream` tells splits,
/// and for the dynamic draw epochs, apart. Gray 0 is always 0 and gray 255 always 255.
pub fn binarise(seed: u64, stream: u64, image_index: u64, pixels: &[u8], out: &mut [u8]) {
    let key = key(&[seed, stream, image_index]);
    for (position, (&gray, out)) in pixels.iter().zip(out).enumerate() {
        // A uniform draw of 0…254 is below `gray` with probability gray / 255.
        *out = if below(key, position as u64, 255) < u32::from(gray) { 255 } else { 0 };
    }
}

/// A permutation of `0..n`, uniform up to the bias of `below` (Fisher & Yates).
pub fn permutation(key: u64, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        // 128-bit multiplication keeps the draw right for any length of a slice.
        let draw = (u128::from(bits(key, last as u64)) * (last as u128 + 1)) >> 64;
        order.swap(last, draw as usize);
    }
    order
}
