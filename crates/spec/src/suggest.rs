//! "Did you mean": the nearest of some allowed words.

/// The allowed word nearest to `word`, if any is near enough to have been meant.
pub(crate) fn nearest<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance is quadratic, so a word that is far too long is not compared at all.
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    let plain = simplify(word);
    allowed
        .into_iter()
        .map(|candidate| (distance(&plain, &simplify(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count().max(plain.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `a`, `b`, `c`, each in backticks.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A hint made of a suggestion, if there is one, and all that is allowed.
pub(crate) fn hint(word: &str, allowed: &[&str], all: &str) -> String {
    let suggestion = nearest(word, allowed.iter().copied()).map(|near| format!("did you mean `{near}`? "));
    format!("{}{all} {}", suggestion.unwrap_or_default(), list(allowed.iter().copied()))
}

fn simplify(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let allowed = ["glyphs", "mnist", "fashion-mnist"];
        assert_eq!(nearest("minst", allowed), Some("mnist"));
        assert_eq!(nearest("MNIST", allowed), Some("mnist"));
        assert_eq!(nearest("fashion_mnist", allowed), Some("fashion-mnist"));
        assert_eq!(nearest("cifar10", allowed), None);
        assert_eq!(nearest("", allowed), None);
        assert_eq!(nearest(&"m".repeat(100_000), allowed), None);
    }
}
