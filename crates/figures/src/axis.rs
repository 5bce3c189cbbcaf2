//! Axes: which values an axis spans, where its ticks are and what they say.

/// How values become places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AxisScale {
    /// Equal differences are equal lengths.
    Linear,
    /// Equal ratios are equal lengths.
    Log,
}

/// One axis of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct PlotAxis {
    /// The value at its beginning.
    pub low: f64,
    /// The value at its end.
    pub high: f64,
    /// How values become places.
    pub scale: AxisScale,
    /// Where its ticks are, and what they say.
    pub ticks: Vec<(f64, String)>,
}

impl PlotAxis {
    /// Spans `values` with a little room on both sides and at most `n_ticks` round ticks.
    pub fn around(values: impl IntoIterator<Item = f64>, n_ticks: usize) -> PlotAxis {
        let (low, high) = range(values);
        let pad = if high > low { 0.05 * (high - low) } else { 0.05 * high.abs().max(1.0) };
        PlotAxis::between(low - pad, high + pad, n_ticks)
    }

    /// Spans exactly `low` to `high`, with at most `n_ticks` round ticks.
    pub fn between(low: f64, high: f64, n_ticks: usize) -> PlotAxis {
        let step = step(high - low, n_ticks);
        let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
        // Steps of 2.5 need one digit more than their power of ten says.
        let decimals = if (step * 10f64.powi(decimals as i32)).fract().abs() > 1e-6 { decimals + 1 } else { decimals };
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let ticks = (first..=last).map(|i| (i as f64 * step, fixed(i as f64 * step, decimals))).collect();
        PlotAxis { low, high, scale: AxisScale::Linear, ticks }
    }

    /// From zero to a little over the largest of `values`.
    pub fn from_zero(values: impl IntoIterator<Item = f64>, n_ticks: usize) -> PlotAxis {
        let (_, high) = range(values);
        PlotAxis::between(0.0, if high > 0.0 { 1.08 * high } else { 1.0 }, n_ticks)
    }

    /// Whole numbers only, such as epochs or dimensions.
    pub fn whole(low: f64, high: f64, n_ticks: usize) -> PlotAxis {
        let mut axis = PlotAxis::between(low, high, n_ticks);
        axis.ticks.retain(|(at, _)| (at - at.round()).abs() < 1e-9);
        for (at, label) in &mut axis.ticks {
            *label = fixed(at.round(), 0);
        }
        axis
    }

    /// One tick at each of `values`, which are positive if they span much; logarithmic when they do.
    pub fn at(values: &[f64]) -> PlotAxis {
        let (low, high) = range(values.iter().copied());
        let scale = if low > 0.0 && high / low >= 5.0 { AxisScale::Log } else { AxisScale::Linear };
        let (from, to) = match scale {
            AxisScale::Log => {
                let pad = (high / low).powf(0.08);
                (low / pad, high * pad)
            }
            AxisScale::Linear => {
                let pad = if high > low { 0.08 * (high - low) } else { 0.5 };
                (low - pad, high + pad)
            }
        };
        let mut axis = PlotAxis { low: from, high: to, scale, ticks: Vec::new() };
        // Ticks whose labels would touch are left out, from the crowded end on.
        let mut previous = f64::NEG_INFINITY;
        for &value in values {
            if axis.fraction(value) - previous >= 0.085 {
                previous = axis.fraction(value);
                axis.ticks.push((value, number(value)));
            }
        }
        axis
    }

    /// Where a value lies: 0 at the beginning, 1 at the end.
    pub fn fraction(&self, value: f64) -> f64 {
        match self.scale {
            AxisScale::Linear => (value - self.low) / (self.high - self.low),
            AxisScale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        }
    }
}

/// Smallest and largest of the finite values; 0 to 1 when there is none.
pub fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .into_iter()
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

/// The smallest of 1, 2, 2.5 and 5 times a power of ten that gives at most `n` ticks.
fn step(span: f64, n: usize) -> f64 {
    let rough = (span / n.max(1) as f64).max(1e-300);
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|f| f * power >= rough * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

/// A number with so many decimals and a minus sign as wide as a plus.
pub fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(zero) if zero.bytes().all(|b| b == b'0' || b == b'.') => zero.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

/// A setting's value as short as it can be told: `0.5`, `20`, `1e-4`.
pub fn number(value: f64) -> String {
    let plain = format!("{value}");
    let scientific = format!("{value:e}");
    let text = if plain.len() <= 6 || plain.len() <= scientific.len() { plain } else { scientific };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &PlotAxis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(labels(&PlotAxis::between(-163.0, -104.0, 4)), ["−160", "−140", "−120"]);
        assert_eq!(labels(&PlotAxis::between(0.0, 1.0, 4)), ["0.00", "0.25", "0.50", "0.75", "1.00"]);
        assert_eq!(labels(&PlotAxis::between(0.0, 0.03, 3)), ["0.00", "0.01", "0.02", "0.03"]);
        assert_eq!(labels(&PlotAxis::whole(1.0, 3.0, 8)), ["1", "2", "3"]);
        assert_eq!(labels(&PlotAxis::at(&[2.0, 5.0, 10.0, 20.0])), ["2", "5", "10", "20"]);
    }

    #[test]
    fn ends_are_at_zero_and_one() {
        for axis in [
            PlotAxis::between(-5.0, 3.0, 4),
            PlotAxis::at(&[2.0, 20.0]),
            PlotAxis::around([7.0], 4),
            PlotAxis::around([], 4),
        ] {
            assert!(axis.fraction(axis.low).abs() < 1e-12 && (axis.fraction(axis.high) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(0.5), "0.5");
        assert_eq!(number(20.0), "20");
        assert_eq!(number(0.316_227_766), "0.316227766");
        assert_eq!(number(0.000_025), "2.5e−5");
        assert_eq!(fixed(-0.0001, 1), "0.0");
    }
}
