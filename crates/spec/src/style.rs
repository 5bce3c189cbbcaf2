//! How figures look on a page: their width, the size of their text, and the files that are written; without effect on any run.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use crate::de;
use crate::diagnostic::{Problem, Span};
use crate::node::{Node, Value};

/// Widths that figures may have, in inches.
const WIDTHS: std::ops::RangeInclusive<f64> = 2.0..=20.0;
/// Sizes that text may have, in points.
const FONTS: std::ops::RangeInclusive<f64> = 4.0..=40.0;

/// How figures look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Style {
    /// Width of every figure, in inches.
    pub width: f64,
    /// Size of axis titles, legends and panel titles, in points; numbers at axes have seven eighths of it.
    pub font: f64,
    /// The colours.
    pub palette: Palette,
    /// The files that are written of each figure.
    pub formats: BTreeSet<Format>,
}

/// The colours of figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Palette {
    /// Colours that colour-blind readers can tell apart.
    #[default]
    Colour,
    /// The same in shades of gray, which differ in lightness.
    Gray,
}

/// A format of figures.
#[derive(Clone, Copy, Debug, IntoStaticStr, VariantArray, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Format {
    /// For web pages.
    Svg,
    /// For papers.
    Pdf,
    /// For everything else, at 300 pixels per inch.
    Png,
}

impl Format {
    /// All of them.
    pub const ALL: &[Format] = Format::VARIANTS;

    /// `svg`, `pdf` or `png`, which are also the files' endings.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Inches for a point of text, at least: a narrower page has no room for an axis with its labels.
const NARROWEST: f64 = 0.38;

/// The presets: name, width in inches, and size of text in points.
const PRESETS: [(&str, f64, f64); 3] = [("neurips", 5.5, 8.0), ("icml", 3.25, 7.0), ("slides", 10.0, 16.0)];

impl Default for Style {
    fn default() -> Style {
        let [(_, width, font), ..] = PRESETS;
        Style { width, font, palette: Palette::Colour, formats: Format::ALL.iter().copied().collect() }
    }
}

impl Style {
    /// A style by its name: `neurips` (the default: 5.5 inches, 8 points), `icml` (one column: 3.25 inches, 7 points) or `slides` (10
    /// inches, 16 points).
    pub fn preset(name: &str) -> Option<Style> {
        let (_, width, font) = PRESETS.into_iter().find(|(known, ..)| *known == name)?;
        Some(Style { width, font, ..Style::default() })
    }
}

/// A style as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    preset: Option<String>,
    width: Option<f64>,
    font: Option<f64>,
    palette: Option<Palette>,
    formats: Option<Vec<Format>>,
}

/// Reads `style`: the name of a preset, or what differs from one.
pub(crate) fn read(node: &Node, at: Span) -> Result<Style, Problem> {
    let written = match &node.value {
        Value::Text(text) => Written { preset: Some(text.text.clone()), ..Written::default() },
        _ => de::read(node, "style", at)?,
    };
    written.check().map_err(|(reason, hint)| Problem::new(reason).at(node.span).path("style").hint(hint))
}

/// Reads a style as it is typed: `icml`, or `width=3.25,font=8,palette=gray,formats=pdf+png`, with a preset before it or without.
///
/// # Errors
/// If there is no such preset, key or value, or it is out of range; the message ends with a hint.
pub fn parse(text: &str) -> Result<Style, String> {
    let mut written = Written::default();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let Some((key, value)) = part.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else {
            written.preset = Some(part.to_owned());
            continue;
        };
        let number = || value.parse().map_err(|_| format!("`{value}` is no number\nhint: write `{key}=8`"));
        let word = |value: &str| serde_json::Value::from(value);
        match key {
            "width" => written.width = Some(number()?),
            "font" => written.font = Some(number()?),
            "palette" => {
                let palette = serde_json::from_value(word(value));
                let unknown = |_| format!("there is no palette `{value}`\nhint: write `colour` or `gray`");
                written.palette = Some(palette.map_err(unknown)?);
            }
            "formats" => {
                let formats =
                    value.split('+').map(|format| serde_json::from_value(word(format))).collect::<Result<_, _>>();
                let unknown = |_| {
                    format!("`{value}` are no formats\nhint: write some of `svg`, `pdf` and `png`: `formats=pdf+png`")
                };
                written.formats = Some(formats.map_err(unknown)?);
            }
            _ => return Err(format!("a style has no `{key}`\nhint: it has width, font, palette and formats")),
        }
    }
    written.check().map_err(|(reason, hint)| format!("{reason}\nhint: {hint}"))
}

impl Written {
    /// The style that is meant; an error and its hint where there is none.
    fn check(self) -> Result<Style, (String, &'static str)> {
        const HINT: &str =
            "there are `neurips`, `icml` and `slides`; or write `width`, `font`, `palette` and `formats`";
        let style = match &self.preset {
            Some(name) => Style::preset(name).ok_or_else(|| (format!("there is no style `{name}`"), HINT))?,
            None => Style::default(),
        };
        let style = Style {
            width: self.width.unwrap_or(style.width),
            font: self.font.unwrap_or(style.font),
            palette: self.palette.unwrap_or(style.palette),
            formats: self.formats.map_or(style.formats, |formats| formats.into_iter().collect()),
        };
        let Style { width, font, .. } = style;
        if !WIDTHS.contains(&width) {
            return Err((format!("figures cannot be {width} inches wide"), "write a width from 2 to 20 inches"));
        }
        if !FONTS.contains(&font) {
            return Err((format!("text cannot have {font} points"), "write a size from 4 to 40 points"));
        }
        if width / font < NARROWEST {
            let reason = format!("figures of {width} inches are too narrow for text of {font} points");
            return Err((reason, "make them wider or their text smaller"));
        }
        if style.formats.is_empty() {
            return Err(("no format is named".to_owned(), "name some of `svg`, `pdf` and `png`"));
        }
        Ok(style)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn styles_are_typed_by_name_or_by_what_differs() {
        assert_eq!(parse("neurips").unwrap(), Style::default());
        let icml = parse("icml, font=8, formats=pdf").unwrap();
        assert_eq!((icml.width, icml.font, icml.palette), (3.25, 8.0, Palette::Colour));
        assert_eq!(icml.formats, BTreeSet::from([Format::Pdf]));
        assert_eq!(parse("palette=gray").unwrap().palette, Palette::Gray);
        for (text, reason) in [
            ("nature", "there is no style `nature`"),
            ("height=3", "has no `height`"),
            ("width=wide", "`wide` is no number"),
            ("width=1", "1 inches wide"),
            ("font=200", "200 points"),
            ("width=3.25,font=12", "too narrow for text of 12 points"),
            ("formats=jpg", "`jpg` are no formats"),
            ("palette=red", "no palette `red`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason) && error.contains("hint: "), "{text}: {error}");
        }
    }
}
