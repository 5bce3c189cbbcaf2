//! The claims with their verdicts: each sentence, and below it what it rests on.

use std::fmt::Write as _;

use record::verdict::Verdict;

use super::{unbroken, xml};
use crate::claims::{Judged, JudgedClaim, table};

/// The table, with what its verdicts mean beneath it.
pub fn html(judged: &Judged, n_changed: usize) -> String {
    let mut out = match judged.claims.len() {
        1 => String::new(),
        n => format!("<p>Of {n} claims: {}.</p>\n", xml(&table::tally(judged))),
    };
    if let Some(caveat) = &judged.caveat {
        let _ = writeln!(out, "<p class=\"caveat\">The runs are {}.</p>", xml(caveat));
    }
    out.push_str(
        "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Claims\"><table class=\"claims\">\n<thead><tr>\
         <th scope=\"col\" class=\"text\">claim, and what it rests on</th>\
         <th scope=\"col\">effect</th><th scope=\"col\" class=\"text\">unit</th><th scope=\"col\">δ</th><th scope=\"col\">n</th>\
         <th scope=\"col\" class=\"text\">verdict</th><th scope=\"col\" class=\"text\">Holm</th></tr></thead>\n<tbody>\n",
    );
    for claim in &judged.claims {
        rows(&mut out, claim);
    }
    out.push_str("</tbody>\n</table></div>\n");
    let _ = writeln!(out, "<p class=\"note\">{}</p>", xml(crate::claims::NOTE));
    let _ = writeln!(
        out,
        "<p class=\"note\">The claims were read from the experiment file as it is printed below; SHA-256 of them, in \
         canonical form: <code>{}</code>. Effects of each seed are in <code>tables/claims.csv</code>.</p>",
        xml(&judged.rule)
    );
    let times = match n_changed {
        0 => return out,
        1 => "once".to_owned(),
        n => format!("{n} times"),
    };
    let _ =
        writeln!(out, "<p class=\"caveat\">The claims were changed {times} since this sweep was first started.</p>");
    out
}

fn rows(out: &mut String, claim: &JudgedClaim) {
    let JudgedClaim { id, text, comparisons, judgement, holm } = claim;
    let _ = writeln!(
        out,
        "<tr class=\"new claim\" id=\"claim-{0}\"><td class=\"text\" colspan=\"5\"><span class=\"id\">{0}</span> {1}</td>\
         {2}{3}</tr>",
        xml(id),
        xml(text),
        verdict(judgement.verdict, judgement.verdict.words(), ""),
        verdict(*holm, holm.words(), " holm")
    );
    for one in comparisons {
        let common = one.common();
        let of = if common.is_empty() {
            String::new()
        } else {
            format!(" <span class=\"pm\">({common})</span>", common = unbroken(&common))
        };
        let effect = match (one.mean(), one.half_width()) {
            (Some(mean), Some(half)) => format!("{mean} <span class=\"pm\">±\u{a0}{half}</span>"),
            (Some(mean), None) => mean,
            (None, _) => "–".to_owned(),
        };
        let _ = writeln!(
            out,
            "<tr><td class=\"text part\">{}, {}{of}</td><td>{effect}</td><td class=\"text\">{}</td><td class=\"delta\">{}</td>\
             <td class=\"n\">{}</td>{}<td></td></tr>",
            xml(&one.metric()),
            unbroken(&one.change()),
            xml(one.short_unit()),
            xml(&one.told_delta()),
            one.n(),
            verdict(one.judgement.verdict, &one.told_verdict(), "")
        );
    }
}

fn verdict(verdict: Verdict, words: &str, class: &str) -> String {
    format!("<td class=\"text verdict {}{class}\">{}\u{a0}{}</td>", verdict.name(), verdict.sign(), xml(words))
}
