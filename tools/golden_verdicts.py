"""Prints the table of crates/record/src/verdict/golden.rs, computed with scipy 1.17.1 and statsmodels: `python tools/golden_verdicts.py > FILE`."""

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

CASES = [
    ([1.2, 1.5, 0.9, 1.4, 1.1], 1.0),
    ([2.2, 2.5, 1.9, 2.4, 2.1], 1.0),
    ([0.1, 0.3, -0.2, 0.2, 0.0], 1.0),
    ([-0.5, -0.9, -0.4, -0.7, -0.6], 0.2),
    ([0.01, -0.02, 0.015, 0.0, -0.01], 0.05),
    ([0.2, 0.21, 0.19], 0.05),
    ([3.0, 1.0], 0.5),
    ([10.0, 10.5, 9.8, 10.1, 10.2, 9.9, 10.3], 10.0),
]

rows = []
for values, delta in CASES:
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))

    def above(null):
        return stats.ttest_1samp(values, null, alternative="greater").pvalue

    def below(null):
        return stats.ttest_1samp(values, null, alternative="less").pvalue

    superiority = "Holds" if low > delta else "Reversed" if high < 0 else "Fails" if high < delta else "Undecided"
    inside, apart = -delta < low and high < delta, low > delta or high < -delta
    equivalence = "Holds" if inside else "Fails" if apart else "Undecided"
    rows.append((values, delta, low, high, superiority, above(delta), below(delta),
                 equivalence, max(above(-delta), below(delta)), min(above(delta), below(-delta))))

print(__doc__.replace('"""', "").strip().replace("Prints the table of crates/record/src/verdict/golden.rs, computed", "//! Verdicts computed"))
print("""
use super::Verdict::{self, Fails, Holds, Reversed, Undecided};

/// Differences by seed, δ, the 95 % interval; verdict, p of holding and p of failing as superiority, and as equivalence.
pub type Case = (&'static [f64], f64, (f64, f64), (Verdict, f64, f64), (Verdict, f64, f64));

#[rustfmt::skip]
pub const CASES: &[Case] = &[""")
for values, delta, low, high, s, sh, sf, e, eh, ef in rows:
    low, high, sh, sf, eh, ef = (float(value) for value in (low, high, sh, sf, eh, ef))
    print(f"    (&{values}, {delta}, ({low}, {high}), ({s}, {sh}, {sf}), ({e}, {eh}, {ef})),")
print("];")
two_sided = [min(1.0, 2 * min(row[5], row[6])) for row in rows]
holm = multipletests(two_sided, method="holm")[1]
print("\n/// The two-sided p-values of the cases as superiority, adjusted by Holm.\n#[rustfmt::skip]")
print("pub const HOLM: &[f64] = &[" + ", ".join(str(float(p)) for p in holm) + "];")
