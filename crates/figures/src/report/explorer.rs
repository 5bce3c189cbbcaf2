//! The latent explorer on the page: its data, the program that moves through them, and a still picture where no program runs.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spec::{Activation, LatentSpace, thousands};

use super::xml;
use crate::colour::{self, Colour};
use crate::drawing::{Drawing, Paper};
use crate::error::FiguresError;
use crate::explorer::{CIRCLES, Decoder, Deviation, Explored, Explorer, Layer, Mean, Plane, Quantised};
use crate::figure::rows::{Row, RowLayout};
use crate::output;

const SCRIPT: &str = include_str!("explorer.js");
const STYLE: &str = include_str!("explorer.css");
/// Images of a path in the still picture, beside those at its ends.
const STEPS: usize = 9;

/// The explorer, with everything it needs.
///
/// # Errors
/// If the still picture cannot be drawn.
pub fn html(explorer: &Explorer) -> Result<String, FiguresError> {
    // The end of a script is the first `</script` in it, wherever that stands.
    let data = data(explorer).to_string().replace('<', "\\u003c");
    Ok(format!(
        "<style>\n{STYLE}</style>\n<figure id=\"explorer-figure\" class=\"explorer\">\n<div class=\"plate still\">\n{}</div>\n\
         <div class=\"plate live\"></div>\n<figcaption>{}</figcaption>\n</figure>\n\
         <script type=\"application/json\" id=\"explorer-data\">{data}</script>\n<script>\n{SCRIPT}</script>\n",
        still(explorer)?,
        caption(explorer)
    ))
}

/// A path for each model, between the two test images that the explorer begins with.
fn still(explorer: &Explorer) -> Result<String, FiguresError> {
    let mut rows = explorer.paths(STEPS);
    for images in rows.iter_mut().filter(|_| explorer.originals.n >= 2) {
        let ends = explorer.originals.first(2).values;
        let (from, to) = ends.split_at(ends.len() / 2);
        images.values = [from, &images.values, to].concat();
        images.n += 2;
    }
    let Some(first) = rows.first() else { return Ok(String::new()) };
    let labels: Vec<&str> = explorer.models.iter().map(|model| model.label.as_str()).collect();
    let layout = match explorer.originals.n {
        0 | 1 => RowLayout::of(Paper::default(), first, labels.iter().copied()),
        _ => RowLayout::of_paths(Paper::default(), first, labels.iter().copied(), STEPS),
    };
    let mut drawing = Drawing::on(Paper::default());
    let mut top = 2.0;
    for (label, images) in labels.into_iter().zip(&rows) {
        layout.row(&mut drawing, &Row { label: label.to_owned(), group: None, images }, top);
        top += layout.pitch;
    }
    drawing.height = top;
    output::svg(&drawing, "latent-explorer")
}

/// What both the program and the still picture show, and what 8 bits cost.
fn caption(explorer: &Explorer) -> String {
    let labels: Vec<String> = explorer.models.iter().map(|model| xml(&model.label)).collect();
    let mut seeds: Vec<u64> = explorer.models.iter().map(|model| model.seed).collect();
    seeds.dedup();
    let seeds = match seeds[..] {
        [seed] => format!("seed {seed}"),
        _ => "each its smallest seed".to_owned(),
    };
    let has_images = explorer.originals.n >= 2;
    let mut live = String::from("Decoders of these runs lie in the page: each image is decoded as you move.");
    let planes = || explorer.models.iter().filter_map(|model| model.plane.as_ref());
    if let Some(n_stored) = planes().map(|plane| plane.n_stored).find(|&n| n > 0) {
        let shown = planes().map(|plane| plane.points.len()).max().unwrap_or(0);
        let _ = write!(
            live,
            " Points are the latents of {} of {} test images; a few outliers lie beyond the frame.",
            thousands(shown as u64),
            thousands(n_stored as u64)
        );
        if explorer.models.iter().any(|model| model.space == LatentSpace::Normal) {
            live.push_str(" Dashed circles have one and two standard deviations of the prior.");
        }
    }
    if planes().next().is_none() {
        let order = match explorer.models.iter().all(|model| model.dimensions.iter().all(|one| one.kl.is_some())) {
            true => "Dimensions are ordered by their KL, in nats per image",
            false => {
                "Dimensions are ordered by their KL, in nats per image, or by the variance of their codes where they have none"
            }
        };
        let _ = write!(
            live,
            " {order}; “move both” moves those of one rank, since those of one number have nothing in common."
        );
    }
    if has_images {
        live.push_str(" A path goes straight from the code of one test image to that of another, in each model between its own codes.");
    }
    let still = match has_images {
        true => {
            "Decoder means along the straight line between the codes of two test images, which stand at the ends; \
             in a browser with scripts this is an explorer of the latent space."
        }
        false => {
            "Decoder means along the first latent dimension, the others at 0; in a browser with scripts this is an explorer of the \
             latent space."
        }
    };
    let others = match explorer.n_others {
        0 => String::new(),
        1 => " One other setting is left out.".to_owned(),
        n => format!(" {n} other settings are left out."),
    };
    let worst =
        |of: fn(&Deviation) -> f64| explorer.models.iter().map(|model| of(&model.deviation)).fold(0.0, f64::max);
    format!(
        "<b>Latent explorer.</b> {}; D = {}, {seeds}. <span class=\"if-live\">{live}</span><span class=\"if-still\">{still}</span> \
         Weights are rounded to 8 bits: a pixel is off by {} at most and {} on average (white is 1), measured at {} {}.{others}",
        spec::listed(&labels, "and"),
        explorer.latent_dim,
        short(worst(|deviation| deviation.largest)),
        short(worst(|deviation| deviation.mean)),
        explorer.models.first().map_or(0, |model| model.deviation.n_points),
        if planes().next().is_some() { "points of the plane" } else { "points of the latent space" },
    )
}

/// A deviation with two digits, rounded up: what is said is never less than it is.
fn short(value: f64) -> String {
    if value <= 0.0 {
        return "0".to_owned();
    }
    let digits = (1 - value.log10().floor() as i32).max(0) as usize;
    let scale = 10f64.powi(digits as i32);
    format!("{:.digits$}", (value * scale).ceil() / scale)
}

/// All that the program reads, as JSON.
fn data(explorer: &Explorer) -> Value {
    let to_byte = |value: &f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    let size = explorer.image.n_pixels();
    let originals = explorer.originals.values.chunks(size).map(|image| image.iter().map(to_byte).collect::<Vec<u8>>());
    let class = |(class, name): (usize, &String)| json!({ "name": name, "colour": hex(colour::class(class)) });
    json!({
        "image": [explorer.image.channels, explorer.image.height, explorer.image.width],
        "originals": originals.map(|image| STANDARD.encode(image)).collect::<Vec<String>>(),
        "names": explorer.names,
        "classes": explorer.classes.iter().enumerate().map(class).collect::<Vec<Value>>(),
        "point": hex(colour::BLUE),
        "models": explorer.models.iter().map(model).collect::<Vec<Value>>(),
    })
}

fn model(model: &Explored) -> Value {
    let dimension = |one: &crate::dimensions::Dimension| {
        json!({
            "index": one.index, "kl": one.kl, "variance": one.variance, "active": one.is_active, "low": one.low, "high": one.high,
        })
    };
    let is_normal = model.space == LatentSpace::Normal;
    json!({
        "label": model.label,
        "run": model.run.as_str(),
        "decoder": decoder(&model.decoder),
        "dimensions": model.dimensions.iter().map(dimension).collect::<Vec<Value>>(),
        "codes": model.codes,
        "plane": model.plane.as_ref().map(|one| plane(one, is_normal)),
        "largest": model.deviation.largest,
    })
}

fn plane(plane: &Plane, is_normal: bool) -> Value {
    let coordinates = plane.points.iter().flat_map(|&(x, y)| [x as f32, y as f32]);
    json!({
        "view": plane.view.map(|(low, high)| [low, high]),
        "points": floats(coordinates),
        "classes": STANDARD.encode(&plane.classes),
        "circles": if is_normal { &CIRCLES[..] } else { &[] },
    })
}

fn decoder(decoder: &Decoder<Quantised>) -> Value {
    let layer = |layer: &Layer<Quantised>| match layer {
        Layer::Activated(one, activation) => json!({ "map": map(one), "activation": name(*activation) }),
        Layer::Gated { value, gate } => json!({ "map": map(value), "gate": map(gate) }),
        Layer::Output(one) => json!({ "map": map(one) }),
    };
    let (mean, parameter) = match decoder.mean {
        Mean::Sigmoid => ("sigmoid", None),
        Mean::Clamp => ("clamp", None),
        // JSON knows no infinity.
        Mean::ContinuousBernoulli(largest) => ("continuous-bernoulli", Some(largest.min(1e9))),
        Mean::Logistic(scale) => ("logistic", Some(scale)),
    };
    json!({ "layers": decoder.layers.iter().map(layer).collect::<Vec<Value>>(), "mean": mean, "parameter": parameter })
}

fn map(map: &Quantised) -> Value {
    let weight: Vec<u8> = map.weight.iter().map(|w| w.cast_unsigned()).collect();
    json!({
        "weight": STANDARD.encode(weight),
        "scale": floats(map.scale.iter().copied()),
        "bias": floats(map.bias.iter().copied()),
    })
}

fn name(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "relu",
        Activation::Tanh => "tanh",
        Activation::Softplus => "softplus",
        Activation::Gated => "identity",
    }
}

/// Numbers in single precision, little-endian, as base64.
fn floats(values: impl Iterator<Item = f32>) -> String {
    STANDARD.encode(values.flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
}

fn hex(Colour(red, green, blue): Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_rounded_up() {
        let cases = [(0.012_34, "0.013"), (0.000_801, "0.00081"), (0.0, "0"), (0.05, "0.050"), (1.0, "1.0")];
        for (value, said) in cases {
            assert_eq!(short(value), said);
        }
    }
}
