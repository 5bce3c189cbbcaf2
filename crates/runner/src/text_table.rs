//! Aligned tables for people.

/// How a column's cells stand under its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// Complete.
    Good,
    /// Wants attention.
    Bad,
    /// Under way.
    Busy,
    /// Of less importance.
    Dim,
}

impl Tone {
    fn code(self) -> Option<&'static str> {
        match self {
            Tone::Plain => None,
            Tone::Good => Some("32"),
            Tone::Bad => Some("31"),
            Tone::Busy => Some("33"),
            Tone::Dim => Some("2"),
        }
    }
}

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    text: String,
    tone: Tone,
}

impl TableEntry {
    /// Text in a colour.
    pub fn toned(text: impl Into<String>, tone: Tone) -> TableEntry {
        TableEntry { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for TableEntry {
    fn from(text: T) -> TableEntry {
        TableEntry::toned(text, Tone::Plain)
    }
}

/// A table with one head line.
#[derive(Clone, Debug)]
pub struct TextTable {
    heads: Vec<(String, Align)>,
    rows: Vec<Vec<TableEntry>>,
}

impl TextTable {
    /// A table with these columns and no rows yet.
    pub fn new<T: Into<String>>(heads: impl IntoIterator<Item = (T, Align)>) -> TextTable {
        TextTable { heads: heads.into_iter().map(|(head, align)| (head.into(), align)).collect(), rows: Vec::new() }
    }

    /// Adds a row, one entry for each column.
    pub fn row(&mut self, entries: Vec<TableEntry>) {
        debug_assert_eq!(entries.len(), self.heads.len());
        self.rows.push(entries);
    }

    /// The table as lines; columns in which every entry is empty are left out.
    pub fn render(&self, is_coloured: bool) -> String {
        let heads: Vec<TableEntry> =
            self.heads.iter().map(|(head, _)| TableEntry::toned(head.clone(), Tone::Dim)).collect();
        let is_used = |column: usize| self.rows.iter().any(|row| !row[column].text.is_empty());
        let used: Vec<usize> = (0..heads.len()).filter(|&column| is_used(column)).collect();
        let lines = || std::iter::once(&heads).chain(&self.rows);
        let widths: Vec<usize> =
            used.iter().map(|&column| lines().map(|line| width(&line[column].text)).max().unwrap_or(0)).collect();
        let mut text = String::new();
        for line in lines() {
            let mut padding = 0;
            for (&column, &full) in used.iter().zip(&widths) {
                let entry = &line[column];
                let free = full - width(&entry.text);
                let (before, after) = if self.heads[column].1 == Align::Right { (free, 0) } else { (0, free) };
                // Padding is written only before something, so that no line ends in blanks.
                if !entry.text.is_empty() {
                    text.push_str(&" ".repeat(padding + before));
                    match entry.tone.code().filter(|_| is_coloured) {
                        Some(code) => text.push_str(&format!("\x1b[{code}m{}\x1b[0m", entry.text)),
                        None => text.push_str(&entry.text),
                    }
                    padding = after + 2;
                } else {
                    padding += full + 2;
                }
            }
            text.push('\n');
        }
        text
    }
}

/// Columns a text takes; every character this program prints in a table is one column wide.
fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_blanks() {
        let mut table = TextTable::new([("name", Align::Left), ("nothing", Align::Left), ("elbo", Align::Right)]);
        table.row(vec!["a".into(), "".into(), "−105.5".into()]);
        table.row(vec!["long name".into(), "".into(), "".into()]);
        table.row(vec![TableEntry::toned("b", Tone::Bad), "".into(), "3".into()]);
        let expected = "name         elbo\na          −105.5\nlong name\nb               3\n";
        assert_eq!(table.render(false), expected);
        assert!(table.render(true).contains("\x1b[31mb\x1b[0m"));
    }
}
