//! Verdicts of claims under a sweep or a comparison: tables for people, objects for programs.

use figures::{Judged, JudgedClaim, JudgedComparison};
use record::verdict::Verdict;
use serde::Serialize;
use serde_json::{Map, Value};
use spec::{Matched, Metric, MetricSettings};

use crate::text_table::{Align, TableEntry, TextTable, Tone};

/// The claims for programs.
#[derive(Serialize)]
pub struct ClaimsJson {
    /// SHA-256 of the claims as the file has them.
    rule: String,
    /// What sets these runs apart from those that the file asks for.
    caveat: Option<String>,
    claims: Vec<ClaimJson>,
}

#[derive(Serialize)]
struct ClaimJson {
    id: String,
    text: String,
    verdict: &'static str,
    /// Adjusted for the number of claims.
    verdict_holm: &'static str,
    comparisons: Vec<ComparisonJson>,
}

#[derive(Serialize)]
struct ComparisonJson {
    metric: Metric,
    settings: MetricSettings,
    log: bool,
    expect: &'static str,
    from: Map<String, Value>,
    to: Map<String, Value>,
    /// The ends of the change that is taken off, of an interaction.
    less: Option<[Map<String, Value>; 2]>,
    /// The value of another metric at which the ends are compared.
    at: Option<Matched>,
    /// Whether it is a step on the way between the first and the last value.
    is_step: bool,
    delta: f64,
    unit: &'static str,
    /// Positive where it supports the claim; `null` where nothing was measured.
    effect: Option<f64>,
    half_width_95: Option<f64>,
    /// Seeds.
    n: usize,
    /// By seed.
    differences: Vec<(u64, f64)>,
    /// Seeds that the experiment has and the effect has not.
    without: Vec<u64>,
    verdict: &'static str,
    /// Why there is no verdict.
    lack: Option<String>,
    p_holds: f64,
    p_fails: f64,
}

impl From<Judged> for ClaimsJson {
    fn from(Judged { claims, rule, caveat }: Judged) -> ClaimsJson {
        let of_claim = |JudgedClaim { id, text, comparisons, judgement, holm }: JudgedClaim| ClaimJson {
            id,
            text,
            verdict: judgement.verdict.name(),
            verdict_holm: holm.name(),
            comparisons: comparisons.into_iter().map(ComparisonJson::from).collect(),
        };
        ClaimsJson { rule, caveat, claims: claims.into_iter().map(of_claim).collect() }
    }
}

impl From<JudgedComparison> for ComparisonJson {
    fn from(one: JudgedComparison) -> ComparisonJson {
        let conditions = |conditions: &spec::Conditions| -> Map<String, Value> {
            let arm = conditions.arm.iter().map(|arm| ("arm".to_owned(), Value::from(arm.as_str())));
            let settings = conditions.settings.iter().map(|own| ("settings".to_owned(), Value::Object(own.fields())));
            arm.chain(conditions.values.clone()).chain(settings).collect()
        };
        let unit = one.unit();
        let JudgedComparison { part, compared, effect, judgement, lack, without } = one;
        ComparisonJson {
            metric: part.metric,
            settings: part.settings,
            log: part.log,
            expect: part.expect.name(),
            from: conditions(&compared.from),
            to: conditions(&compared.to),
            less: compared.less.as_ref().map(|(from, to)| [conditions(from), conditions(to)]),
            at: part.at,
            is_step: compared.is_step,
            delta: compared.delta,
            unit,
            effect: effect.as_ref().map(|effect| effect.estimate.mean),
            half_width_95: effect.as_ref().and_then(|effect| effect.estimate.half_width),
            n: effect.as_ref().map_or(0, |effect| effect.estimate.n),
            differences: effect.map(|effect| effect.differences).unwrap_or_default(),
            without,
            verdict: judgement.verdict.name(),
            lack,
            p_holds: judgement.p_holds,
            p_fails: judgement.p_fails,
        }
    }
}

/// The claims with their verdicts, then what these rest on; nothing where the experiment makes none.
pub fn tables(judged: Option<&Judged>, is_coloured: bool) -> String {
    use Align::{Left, Right};
    let Some(judged) = judged else { return String::new() };
    let mut claims = TextTable::new([("claim", Left), ("verdict", Left), ("Holm", Left), ("", Left)]);
    let heads = [("claim", Left), ("what it rests on", Left), ("of", Left), ("effect", Right), ("δ", Right)];
    let mut comparisons = TextTable::new(heads.into_iter().chain([("unit", Left), ("n", Right), ("verdict", Left)]));
    for claim in &judged.claims {
        let toned = |verdict: Verdict| TableEntry::toned(verdict.words(), tone(verdict));
        let text = claim.text.as_str();
        claims.row(vec![claim.id.as_str().into(), toned(claim.judgement.verdict), toned(claim.holm), text.into()]);
        for one in &claim.comparisons {
            comparisons.row(vec![
                claim.id.as_str().into(),
                format!("{}, {}", one.metric(), one.change()).into(),
                one.common().into(),
                one.told_effect().into(),
                one.told_delta().into(),
                one.short_unit().into(),
                one.n().to_string().into(),
                TableEntry::toned(one.told_verdict(), tone(one.judgement.verdict)),
            ]);
        }
    }
    let caveat = judged.caveat.as_ref().map_or_else(String::new, |caveat| format!("  the runs are {caveat}\n"));
    format!(
        "\nclaims (effects paired by seed, positive where they support the claim; mean ± 95 % interval over seeds, which covers the \
         randomness of training, not the choice of test images)\n{caveat}{}\n{}  SHA-256 of the claims: {}\n",
        claims.render(is_coloured),
        comparisons.render(is_coloured),
        judged.rule
    )
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Holds => Tone::Good,
        Verdict::Fails | Verdict::Reversed => Tone::Bad,
        Verdict::Undecided => Tone::Busy,
        Verdict::TooFewSeeds | Verdict::NotMeasured => Tone::Dim,
    }
}
