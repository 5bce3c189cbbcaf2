//! Tables for papers: TeX with booktabs, as wide as a column or a page of two columns, and never wider.
//!
//! TeX breaks no line of a table, so that its width is reckoned here from the letters' widths in Computer Modern. A table that
//! one column has no room for becomes a `table*`, one that a page has no room for several of them.

use std::ops::Range;

use crate::escape;
use crate::table::{Column, Line, Table, quantity, rounded};
use record::summary::Estimate;

/// Width of one of two columns in points: that of the class `article`, which is the narrowest of the usual ones.
const COLUMN: f64 = 229.0;
/// Width of a page of two columns in points, of the same class.
const PAGE: f64 = 469.0;
/// Half the room between two columns of a table, in points.
const TABCOLSEP: f64 = 4.0;
/// The most lines of text in one table, so that it fits on a page.
const MAX_LINES: usize = 40;
/// The widest a column's head may be in points, where its words allow it and its numbers are no wider.
const HEAD: f64 = 46.0;
/// The narrowest and the widest column of settings, in points.
const PHRASE: (f64, f64) = (70.0, 190.0);

/// A column of values, or of what tells a line.
struct TexColumn {
    head: Vec<String>,
    fields: Vec<String>,
    /// Without the room between columns, in points.
    width: f64,
    content: Content,
}

/// What a column holds.
#[derive(Clone, Copy)]
enum Content {
    /// β, which stands once for each block of lines.
    Beta,
    /// The latent dimension or the number of seeds.
    Count,
    /// A quantity.
    Value,
}

impl TexColumn {
    fn wide(&self) -> f64 {
        self.width + 2.0 * TABCOLSEP
    }
}

/// One environment: a part of a table's columns and of its lines.
struct Part<'a> {
    columns: Vec<&'a TexColumn>,
    /// Width of the settings' column, in points; none where there is nothing to say.
    phrase: Option<f64>,
    lines: Range<usize>,
}

/// The table's environments; they need the packages array and booktabs.
pub fn tex(table: &Table) -> String {
    let leading = leading(table);
    let values: Vec<TexColumn> =
        table.columns.iter().enumerate().map(|(at, column)| value(table, at, column)).collect();
    let parts = parts(table, &leading, &values);
    let mut out = String::from("% needs \\usepackage{array,booktabs}\n");
    for (index, part) in parts.iter().enumerate() {
        let (of, number) = match parts.len() {
            1 => (String::new(), String::new()),
            n => (format!(" Part {} of {n}.", index + 1), format!("-{}", index + 1)),
        };
        let caption = format!("{}{of}", table.caption);
        let label = format!("tab:{}-{}{number}", table.experiment, table.name);
        out.push_str(&environment(table, part, &caption, &label));
    }
    out
}

/// β, D and n, as far as a line has them.
fn leading(table: &Table) -> Vec<TexColumn> {
    let column = |head: &str, content: Content, of: &dyn Fn(&Line) -> String| {
        let fields: Vec<String> = table.lines.iter().map(of).collect();
        let width = fields.iter().map(|field| text_width(field)).fold(text_width(head), f64::max);
        TexColumn { head: vec![head.to_owned()], fields, width, content }
    };
    let mut columns = Vec::new();
    if table.lines.iter().any(|line| line.beta.is_some()) {
        columns.push(column("β", Content::Beta, &|line| quantity(line.beta, "–")));
    }
    if table.lines.iter().any(|line| line.latent_dim.is_some()) {
        columns.push(column("D", Content::Count, &|line| quantity(line.latent_dim, "–")));
    }
    columns.push(column("n", Content::Count, &|line| line.n.to_string()));
    columns
}

fn value(table: &Table, at: usize, column: &Column) -> TexColumn {
    let field = |line: &Line| number(line.values[at].as_ref(), line.best == Some(at), column.decimals);
    let reckoned =
        |line: &Line| line.values[at].as_ref().map_or(9.0, |estimate| number_width(estimate, column.decimals));
    let numbers = table.lines.iter().map(reckoned).fold(0.0, f64::max);
    let head = broken(&column.title, numbers.max(HEAD));
    let width = head.iter().map(|line| text_width(line)).fold(numbers, f64::max);
    TexColumn { head, fields: table.lines.iter().map(field).collect(), width, content: Content::Value }
}

/// Width of a number as if it were bold, in points.
fn number_width(estimate: &Estimate, decimals: usize) -> f64 {
    let (mean, half) = rounded(estimate, decimals);
    1.15 * text_width(&mean.replace('-', "−")) + half.map_or(0.0, |half| text_width(&format!("±{half}")))
}

/// As many columns of values side by side as a page has room for, one at least, and as many lines as fit on it.
fn parts<'a>(table: &Table, leading: &'a [TexColumn], values: &'a [TexColumn]) -> Vec<Part<'a>> {
    let widest = table.lines.iter().map(|line| text_width(&line.phrase)).fold(PHRASE.0, f64::max);
    let phrase = table.has_phrases.then_some(widest.min(PHRASE.1) + 2.0 * TABCOLSEP);
    let fixed: f64 = leading.iter().map(TexColumn::wide).sum();
    let mut of_values: Vec<Vec<&TexColumn>> = Vec::new();
    let mut used = f64::INFINITY;
    for column in values {
        if used + column.wide() > PAGE {
            of_values.push(Vec::new());
            used = fixed + phrase.unwrap_or(0.0);
        }
        used += column.wide();
        if let Some(part) = of_values.last_mut() {
            part.push(column);
        }
    }
    let mut parts = Vec::new();
    for values in of_values {
        let columns: Vec<&TexColumn> = leading.iter().chain(values).collect();
        // Settings are broken into more lines where that lets the table into one column.
        let narrow = COLUMN - columns.iter().map(|column| column.wide()).sum::<f64>();
        let phrase =
            phrase.map(|phrase| if narrow >= PHRASE.0 + 2.0 * TABCOLSEP { phrase.min(narrow) } else { phrase });
        let pages = pages(table, phrase).into_iter();
        parts.extend(pages.map(|lines| Part { columns: columns.clone(), phrase, lines }));
    }
    parts
}

/// Ranges of lines that fit on a page each.
fn pages(table: &Table, phrase: Option<f64>) -> Vec<Range<usize>> {
    let (mut pages, mut start, mut used) = (Vec::new(), 0, 0);
    for (index, line) in table.lines.iter().enumerate() {
        let n = phrase.map_or(1, |phrase| broken(&line.phrase, phrase - 2.0 * TABCOLSEP).len());
        if used + n > MAX_LINES && index > start {
            pages.push(start..index);
            (start, used) = (index, 0);
        }
        used += n;
    }
    pages.push(start..table.lines.len());
    pages
}

fn environment(table: &Table, part: &Part<'_>, caption: &str, label: &str) -> String {
    let Part { columns, phrase, lines } = part;
    let width = phrase.unwrap_or(0.0) + columns.iter().map(|column| column.wide()).sum::<f64>();
    let name = if width <= COLUMN { "table" } else { "table*" };
    let setting = phrase.map(|phrase| {
        let width = phrase - 2.0 * TABCOLSEP;
        format!(">{{\\raggedright\\arraybackslash}}p{{{width:.0}pt}}")
    });
    let heads = phrase.map(|_| "setting".to_owned()).into_iter().chain(columns.iter().map(|column| head(column)));
    let mut out = format!(
        "\\begin{{{name}}}\n  \\centering\n  \\small\n  \\setlength{{\\tabcolsep}}{{{TABCOLSEP}pt}}\n  \\caption{{{}}}\n  \
         \\label{{{label}}}\n  \\begin{{tabular}}{{{}{}}}\n    \\toprule\n    {} \\\\\n    \\midrule\n",
        escape::tex(caption),
        setting.unwrap_or_default(),
        "r".repeat(columns.len()),
        heads.collect::<Vec<_>>().join(" & "),
    );
    for index in lines.clone() {
        let is_new = index == lines.start || table.begins_block(index);
        if is_new && index > lines.start {
            out.push_str("    \\addlinespace\n");
        }
        let once = |text: &str| if is_new { escape::tex(text) } else { String::new() };
        let fields = columns.iter().map(|column| match column.content {
            Content::Beta => once(&column.fields[index]),
            Content::Count => escape::tex(&column.fields[index]),
            Content::Value => column.fields[index].clone(),
        });
        let phrase = phrase.map(|_| once(&table.lines[index].phrase));
        out.push_str(&format!("    {} \\\\\n", phrase.into_iter().chain(fields).collect::<Vec<_>>().join(" & ")));
    }
    out.push_str(&format!("    \\bottomrule\n  \\end{{tabular}}\n\\end{{{name}}}\n"));
    out
}

fn head(column: &TexColumn) -> String {
    let lines: Vec<String> = column.head.iter().map(|line| escape::tex(line)).collect();
    match (lines.as_slice(), column.content) {
        ([one], Content::Count) => format!("${one}$"),
        ([one], Content::Beta | Content::Value) => one.clone(),
        (lines, _) => format!("\\shortstack[r]{{{}}}", lines.join("\\\\")),
    }
}

fn number(estimate: Option<&Estimate>, best: bool, decimals: usize) -> String {
    let Some(estimate) = estimate else { return "--".to_owned() };
    let (mean, half) = rounded(estimate, decimals);
    let mean = if best { format!("\\mathbf{{{mean}}}") } else { mean };
    match half {
        Some(half) => format!("${mean} \\pm {half}$"),
        None => format!("${mean}$"),
    }
}

/// The text in lines of at most `room` points where its words allow it.
fn broken(text: &str, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}")) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Width of a text in Computer Modern Roman of nine points (`\small` of ten), in points; a little more rather than less.
fn text_width(text: &str) -> f64 {
    text.chars().map(letter_width).sum::<f64>() / 1000.0 * 9.0
}

/// Width of a letter in cmr9, in thousandths of its size.
fn letter_width(letter: char) -> f64 {
    match letter {
        'i' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' => 286.0,
        'f' | 'j' => 314.0,
        ' ' | '-' => 343.0,
        '(' | ')' | 't' | 'r' | 's' => 405.0,
        'c' | 'e' | 'z' => 457.0,
        'a' | 'g' | 'o' | 'v' | 'x' | 'y' | 'k' | 'q' | '0'..='9' | '/' => 543.0,
        'b' | 'd' | 'h' | 'n' | 'p' | 'u' | 'σ' => 571.0,
        'β' => 650.0,
        // As an operator it has room on both sides.
        '±' => 1257.0,
        'm' | 'w' => 857.0,
        'M' | 'W' => 1058.0,
        _ => 808.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_broken_between_words() {
        assert_eq!(broken("sharpness (of reconstructions)", HEAD), ["sharpness", "(of", "reconstructions)"]);
        assert_eq!(broken("KL", HEAD), ["KL"]);
    }

    /// Widths of boxes that pdfTeX sets in `\small` of a class of ten points, by `\the\wd`.
    #[test]
    fn widths_are_not_less_than_those_of_tex() {
        let measured = [
            ("reconstruction", 57.652),
            ("ELBO", 25.821),
            ("active units", 46.818),
            ("−162.51±0.45", 60.638),
            ("sharpness", 38.720),
            ("gaussian-mixture components 20, floor 0.05, epochs 30", 220.458),
            ("KL", 12.974),
            ("log density of latent means", 109.057),
            ("objective", 36.236),
            ("0.0209", 25.694),
            ("free-bits nats 1, warm-up 2 epochs", 139.726),
            ("β", 5.682),
            ("discretised-logistic", 73.668),
        ];
        for (text, width) in measured {
            let reckoned = text_width(text);
            assert!((width..1.15 * width + 2.0).contains(&reckoned), "{text}: {reckoned} against {width}");
        }
    }
}
