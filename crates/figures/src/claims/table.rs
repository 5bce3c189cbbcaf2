//! The table of claims: CSV for programs, TeX for a paper.

use record::verdict::Verdict;

use super::Judged;
use crate::csv;
use crate::escape;

/// One line for each comparison of each claim, six digits behind the point; what is absent is an empty field.
pub fn csv(judged: &Judged) -> String {
    let head = [
        "claim",
        "text",
        "verdict",
        "verdict_holm",
        "metric",
        "settings",
        "log",
        "expect",
        "from",
        "to",
        "is_step",
        "effect",
        "half_width_95",
        "delta",
        "unit",
        "n_seeds",
        "seeds_wanting",
        "verdict_of_part",
        "lack",
        "p_holds",
        "p_fails",
        "differences",
        "rule",
        "caveat",
        "less_from",
        "less_to",
        "at",
    ];
    let rows = judged.claims.iter().flat_map(|claim| claim.comparisons.iter().map(move |one| (claim, one)));
    let rows = rows.map(|(claim, one)| {
        let number = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
        let effect = one.effect.as_ref();
        let of_seeds = effect.iter().flat_map(|effect| &effect.differences);
        let of_seeds: Vec<String> = of_seeds.map(|(seed, value)| format!("{seed}:{value:.6}")).collect();
        vec![
            claim.id.clone(),
            claim.text.clone(),
            claim.judgement.verdict.name().to_owned(),
            claim.holm.name().to_owned(),
            one.part.metric.name().to_owned(),
            one.part.settings.to_json(),
            one.part.log.to_string(),
            one.part.expect.name().to_owned(),
            one.compared.from.words(),
            one.compared.to.words(),
            one.compared.is_step.to_string(),
            number(effect.map(|effect| effect.estimate.mean)),
            number(effect.and_then(|effect| effect.estimate.half_width)),
            one.compared.delta.to_string(),
            one.unit().to_owned(),
            one.n().to_string(),
            one.without.iter().map(u64::to_string).collect::<Vec<_>>().join(" "),
            one.judgement.verdict.name().to_owned(),
            one.lack.clone().unwrap_or_default(),
            format!("{:.3e}", one.judgement.p_holds),
            format!("{:.3e}", one.judgement.p_fails),
            of_seeds.join(" "),
            judged.rule.clone(),
            judged.caveat.clone().unwrap_or_default(),
            one.compared.less.as_ref().map(|(from, _)| from.words()).unwrap_or_default(),
            one.compared.less.as_ref().map(|(_, to)| to.words()).unwrap_or_default(),
            one.part.at.as_ref().map(|at| format!("{} {} along {}", at.metric, at.value, at.along)).unwrap_or_default(),
        ]
    });
    csv::write(std::iter::once(head.map(str::to_owned).to_vec()).chain(rows))
}

/// One `table*` of claims with their comparisons; it needs the package booktabs.
pub fn tex(judged: &Judged, experiment: &str) -> String {
    let mut out = format!(
        "% needs \\usepackage{{array,booktabs}}\n\\begin{{table*}}\n  \\centering\n  \\footnotesize\n  \\setlength{{\\tabcolsep}}{{3pt}}\n  \
         \\caption{{{}}}\n  \\label{{tab:{experiment}-claims}}\n  \\begin{{tabular}}{{l>{{\\raggedright\\arraybackslash}}p{{205pt}}rrrll}}\n    \
         \\toprule\n    claim & & effect & {} & n & verdict & Holm \\\\\n    \\midrule\n",
        escape::tex(&format!("Claims of {experiment} and their verdicts. {}", notes(judged))),
        tex_of("δ"),
    );
    for (index, claim) in judged.claims.iter().enumerate() {
        if index > 0 {
            out.push_str("    \\addlinespace\n");
        }
        let (verdict, holm) = (claim.judgement.verdict.words(), claim.holm.words());
        out.push_str(&format!("    {} & {} & & & & {verdict} & {holm} \\\\\n", tex_of(&claim.id), tex_of(&claim.text)));
        for one in &claim.comparisons {
            let words = [one.metric(), one.change()].join(", ");
            let effect = one.mean().map_or_else(
                || "--".to_owned(),
                |mean| {
                    let half = one.half_width().map_or_else(String::new, |half| format!(" \\pm {half}"));
                    format!("${}{half}$", mean.replace('−', "-"))
                },
            );
            out.push_str(&format!(
                "    & \\quad {} & {effect} & {} & {} & {} & \\\\\n",
                tex_of(&words),
                tex_of(&one.told_delta()),
                one.n(),
                one.verdict_and_wanting()
            ));
        }
    }
    out.push_str("    \\bottomrule\n  \\end{tabular}\n\\end{table*}\n");
    out
}

fn tex_of(text: &str) -> String {
    escape::tex(text)
}

/// What is said beneath a table: the caveat first.
fn notes(judged: &Judged) -> String {
    let caveat = judged.caveat.as_ref().map_or_else(String::new, |caveat| format!("Verdicts are of runs {caveat}. "));
    format!("{caveat}{} SHA-256 of the claims as the file has them: {}.", super::NOTE, judged.rule)
}

/// How many claims have each verdict, in words: `3 hold, 1 undecided`.
pub fn tally(judged: &Judged) -> String {
    let count = |wanted: Verdict| judged.claims.iter().filter(|claim| claim.judgement.verdict == wanted).count();
    let counted = [
        (Verdict::Holds, "hold", "holds"),
        (Verdict::Fails, "fail", "fails"),
        (Verdict::Reversed, "reversed", "reversed"),
        (Verdict::Undecided, "undecided", "undecided"),
        (Verdict::TooFewSeeds, "with too few seeds", "with too few seeds"),
        (Verdict::NotMeasured, "not measured", "not measured"),
    ];
    let said = counted.into_iter().filter_map(|(verdict, several, one)| match count(verdict) {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {several}")),
    });
    said.collect::<Vec<_>>().join(", ")
}
