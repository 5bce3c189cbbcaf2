//! CSV as programs read it (RFC 4180, with lines that end in a line feed).

/// Rows of fields as text; fields with a comma, a quote or a line's end in them are quoted.
pub fn write(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    rows.into_iter().map(|row| row.iter().map(|text| field(text)).collect::<Vec<_>>().join(",") + "\n").collect()
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_need_quotes_have_them() {
        let row = |fields: [&str; 3]| fields.map(str::to_owned).to_vec();
        let rows = [row(["a b", "a,b", "say \"a\""]), row(["", "two\nlines", "a\rb"])];
        assert_eq!(write(rows), "a b,\"a,b\",\"say \"\"a\"\"\"\n,\"two\nlines\",\"a\rb\"\n");
        assert_eq!(write([]), "");
    }
}
