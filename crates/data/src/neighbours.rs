//! How near test images are to their neighbours in the source that are trained on: whether the split cuts through a film.

use std::collections::HashMap;

use crate::images::Images;

/// Test images that are looked at, at most.
const MOST: usize = 256;
/// Fewer pairs than this tell nothing.
const FEWEST: usize = 8;

/// The mean absolute difference between test images and their nearer neighbour in the source, over that between them and
/// training images from anywhere: about 1 for images in no order, near 0 where neighbours are near duplicates, such as frames
/// of a film. `None` where there are too few neighbours to tell.
///
/// `train_rows` and `test_rows` are the images' positions in the source, in its own order.
pub(crate) fn distance(train: &Images, train_rows: &[usize], test: &Images, test_rows: &[usize]) -> Option<f64> {
    let positions: HashMap<usize, usize> = train_rows.iter().enumerate().map(|(at, &row)| (row, at)).collect();
    let (mut near, mut anywhere, mut n) = (0.0, 0.0, 0);
    let step = test_rows.len().div_ceil(MOST).max(1);
    for (at, &row) in test_rows.iter().enumerate().step_by(step) {
        let neighbours = [row.checked_sub(1), row.checked_add(1)].into_iter().flatten();
        let apart = neighbours.filter_map(|row| Some(difference(test.image(at), train.image(*positions.get(&row)?))));
        let Some(nearest) = apart.min_by(f64::total_cmp) else { continue };
        near += nearest;
        // The training images are in a random order already.
        anywhere += difference(test.image(at), train.image(at % train.shape.n));
        n += 1;
    }
    (n >= FEWEST && anywhere > 0.0).then(|| near / anywhere)
}

/// The mean absolute difference of two images' values, 255 standing for 1.0.
fn difference(a: &[u8], b: &[u8]) -> f64 {
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len().max(1) as f64
}
