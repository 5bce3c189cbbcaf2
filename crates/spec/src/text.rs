//! Bytes, lists, whole numbers and durations as text.

use std::time::Duration;

/// Two lowercase hexadecimal digits for each byte.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `a`, `a or b`, `a, b or c`; the last word is joined on with `conjunction`.
pub fn listed<W: AsRef<str>>(words: &[W], conjunction: &str) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        [others @ .., last] if !others.is_empty() => format!("{} {conjunction} {last}", others.join(", ")),
        _ => words.concat(),
    }
}

/// A whole number with its thousands set apart: `60,000`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// A duration to two significant parts: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`.
pub fn duration(seconds: f64) -> String {
    let Ok(exact) = Duration::try_from_secs_f64(seconds.max(0.0)) else { return "forever".to_owned() };
    let whole = exact.as_secs_f64().round() as u64;
    let pair = |big: u64, big_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big} {big_unit}"),
        _ => format!("{big} {big_unit} {small} {small_unit}"),
    };
    match whole {
        _ if exact.as_millis() == 0 => "0 s".to_owned(),
        _ if exact.as_secs_f64() < 0.9995 => format!("{} ms", exact.as_millis()),
        _ if exact.as_secs_f64() < 9.95 => format!("{:.1} s", exact.as_secs_f64()),
        0..60 => format!("{whole} s"),
        60..3600 => pair(whole / 60, "min", whole % 60, "s"),
        3600..86400 => pair(whole / 3600, "h", whole % 3600 / 60, "min"),
        _ => pair(whole / 86400, "d", whole % 86400 / 3600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        let said: Vec<String> = [0, 999, 1000, 60_000, 1_234_567].into_iter().map(thousands).collect();
        assert_eq!(said, ["0", "999", "1,000", "60,000", "1,234,567"]);
    }

    #[test]
    fn durations_have_two_parts_at_most() {
        let said: Vec<String> =
            [0.0, 0.0004, 0.25, 1.0, 9.97, 59.6, 61.0, 3600.0, 7500.0, 90_000.0, -1.0, f64::INFINITY]
                .into_iter()
                .map(duration)
                .collect();
        let expected = [
            "0 s",
            "0 s",
            "250 ms",
            "1.0 s",
            "10 s",
            "1 min",
            "1 min 1 s",
            "1 h",
            "2 h 5 min",
            "1 d 1 h",
            "0 s",
            "forever",
        ];
        assert_eq!(said, expected);
    }
}
