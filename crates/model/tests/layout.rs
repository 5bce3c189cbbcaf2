//! The layout of a spec tells the sizes of what is built.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use spec::layout::{Chain, HeadedChain, Layer, Map};
use spec::{Cell, ImageShape};
use tch::Device;

const IMAGE: ImageShape = ImageShape { channels: 3, height: 9, width: 7 };

fn cell(changes: Value) -> Cell {
    let mut model = json!({ "hidden": [6, 5], "latent_dim": 4 });
    model.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "dataset": { "name": { "hdf5": "/images.h5" } }, "model": model,
        "objective": {}, "optimizer": { "adam": {} }, "training": {},
    }))
    .unwrap()
}

fn chain(cell: &Cell, chain: &Chain) -> usize {
    let of_layer = |layer: &Layer| match layer {
        Layer::Hidden(map) => cell.model.maps_per_hidden_layer() * map.n_parameters(cell.model.latent_dim),
        Layer::Output(map) => map.n_parameters(cell.model.latent_dim),
        Layer::Reshape { .. } => 0,
    };
    chain.layers.iter().map(of_layer).sum()
}

/// Weights and biases of a network by the start of its parameters' names.
fn headed(cell: &Cell, trunk: &str, network: &HeadedChain) -> Vec<(String, usize)> {
    let head = Map::Linear { inputs: network.trunk.outputs, outputs: network.outputs };
    let heads = network.heads.iter().map(|name| (format!("{name}."), head.n_parameters(cell.model.latent_dim)));
    std::iter::once((format!("{trunk}."), chain(cell, &network.trunk))).chain(heads).collect()
}

#[test]
fn parameters_are_as_many_as_the_layout_tells() {
    let conv = json!({ "conv": { "channels": [8, 4], "kernel": 3, "stride": 2 } });
    let changes = [
        json!({}),
        json!({ "hidden": [] }),
        json!({ "activation": "gated" }),
        json!({ "latent": { "bernoulli": {} } }),
        json!({ "likelihood": { "gaussian-per-pixel": {} }, "net": conv }),
        json!({ "net": conv, "activation": "gated", "hidden": [] }),
        json!({ "kind": "autoencoder" }),
        json!({ "kind": { "gan": {} }, "net": conv }),
        json!({ "kind": { "vae-gan": { "regulariser": { "gradient-penalty": {} } } } }),
        json!({ "kind": { "vae-gan": {} }, "net": conv, "latent": { "bernoulli": {} } }),
    ];
    for changes in changes {
        let cell = cell(changes.clone());
        let model = model::build(&[&cell], IMAGE, Device::Cpu).unwrap().unwrap();
        let layout = cell.model.layout(IMAGE).unwrap();
        let mut told = layout.encoder.as_ref().map(|network| headed(&cell, "encoder", network)).unwrap_or_default();
        told.extend(layout.discriminator.iter().flat_map(|network| headed(&cell, "discriminator", network)));
        let name = if layout.encoder.is_some() { "decoder." } else { "generator." };
        told.extend(layout.decoder.iter().map(|network| (name.to_owned(), chain(&cell, network))));
        let mut n_told = 0;
        for (start, n) in told {
            let parameters = model.parameters().iter().filter(|parameter| parameter.is_trained);
            let of_network = parameters.filter(|parameter| parameter.name.starts_with(&start));
            let built: usize = of_network.map(|parameter| parameter.tensor.numel()).sum();
            assert_eq!(built, n, "`{start}` of {changes}");
            n_told += n;
        }
        let all: usize = model.parameters().iter().filter(|p| p.is_trained).map(|p| p.tensor.numel()).sum();
        assert_eq!(n_told, all, "{changes}");
    }
}
