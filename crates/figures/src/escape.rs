//! Names made safe for the languages that figures, tables and the report are written in.

/// For text and attributes of XML and HTML.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// For TeX text.
pub fn tex(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            'β' => out.push_str("$\\beta$"),
            'δ' => out.push_str("$\\delta$"),
            'Δ' => out.push_str("$\\Delta$"),
            '²' => out.push_str("$^2$"),
            '→' => out.push_str("$\\to$"),
            'σ' => out.push_str("$\\sigma$"),
            '−' => out.push_str("$-$"),
            '±' => out.push_str("$\\pm$"),
            '–' => out.push_str("--"),
            '|' => out.push_str("\\textbar{}"),
            'ₓ' => out.push_str("$_x$"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_safe() {
        assert_eq!(xml("a_b & <c> \"d\""), "a_b &amp; &lt;c&gt; &quot;d&quot;");
        assert_eq!(tex("a_b & <c> 5%"), "a\\_b \\& \\textless{}c\\textgreater{} 5\\%");
    }
}
