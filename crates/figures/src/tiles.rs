//! Images as sheets of tiles: enlarged by a whole factor, never smoothed.

/// One pixel of the PNG files, in points: 300 per inch.
pub const DEVICE_PIXEL: f64 = 0.24;

/// Pixels of a sheet per device pixel: sheets have 600 per inch, so that viewers that smooth blur less than a pixel.
pub const SHEET_PIXELS: usize = 2;

/// Gray or colour images of one size, values nominally in 0…1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageStack {
    /// How many.
    pub n: usize,
    /// Channels of each.
    pub channels: usize,
    /// Rows of pixels of each.
    pub height: usize,
    /// Columns of pixels of each.
    pub width: usize,
    /// Shape `[n, channels, height, width]`.
    pub values: Vec<f32>,
}

impl ImageStack {
    /// The first `n` images.
    pub fn first(&self, n: usize) -> ImageStack {
        self.pick(&(0..n.min(self.n)).collect::<Vec<_>>())
    }

    /// The images at `indices`, in that order; those out of range are left out.
    pub fn pick(&self, indices: &[usize]) -> ImageStack {
        let size = self.channels * self.height * self.width;
        let mut values = Vec::with_capacity(indices.len() * size);
        let mut n = 0;
        for chunk in indices.iter().filter_map(|&i| self.values.get(i * size..(i + 1) * size)) {
            values.extend_from_slice(chunk);
            n += 1;
        }
        ImageStack { n, values, ..self.clone_shape() }
    }

    fn clone_shape(&self) -> ImageStack {
        ImageStack { n: 0, channels: self.channels, height: self.height, width: self.width, values: Vec::new() }
    }
}

/// How large a pixel of an image is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zoom {
    /// So many device pixels for one pixel of the image.
    Up(usize),
    /// The mean of so many by so many pixels of the image for one device pixel.
    Down(usize),
}

impl Zoom {
    /// The largest zoom at which `pixels` fit into `room` points.
    pub fn fitting(pixels: usize, room: f64) -> Zoom {
        let device = (room / DEVICE_PIXEL + 1e-6).floor().max(1.0) as usize;
        if pixels <= device { Zoom::Up(device / pixels.max(1)) } else { Zoom::Down(pixels.div_ceil(device)) }
    }

    /// How many points `pixels` take.
    pub fn points(self, pixels: usize) -> f64 {
        self.device(pixels) as f64 * DEVICE_PIXEL
    }

    fn device(self, pixels: usize) -> usize {
        match self {
            Zoom::Up(factor) => pixels * factor,
            Zoom::Down(factor) => pixels.div_ceil(factor),
        }
    }
}

/// A bitmap of tiles on white, at 600 pixels per inch.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// Columns of pixels.
    pub width: usize,
    /// Rows of pixels.
    pub height: usize,
    /// 1 (gray) or 3 (red, green, blue).
    pub channels: usize,
    /// Shape `[height, width, channels]`.
    pub pixels: Vec<u8>,
    /// The white between tiles, and where tiles are wanting: left, top, width and height of each, in pixels.
    pub gaps: Vec<[usize; 4]>,
    /// Whether values of the images lie beyond black and white, by so much that it would be seen.
    pub is_cut: bool,
}

/// Half a level of 256: how far a value lies beyond black or white without being seen.
const UNSEEN: f32 = 0.5 / 255.0;

impl Sheet {
    /// Width in points.
    pub fn width_points(&self) -> f64 {
        self.width as f64 / SHEET_PIXELS as f64 * DEVICE_PIXEL
    }

    /// Height in points.
    pub fn height_points(&self) -> f64 {
        self.height as f64 / SHEET_PIXELS as f64 * DEVICE_PIXEL
    }
}

/// Lays images out in rows of `columns`, `gap` points apart (rounded to device pixels).
pub fn sheet(images: &ImageStack, columns: usize, zoom: Zoom, gap: f64) -> Sheet {
    let columns = columns.min(images.n).max(1);
    let rows = images.n.div_ceil(columns);
    let gap = (gap / DEVICE_PIXEL).round() as usize * SHEET_PIXELS;
    let (tile_width, tile_height) =
        (zoom.device(images.width) * SHEET_PIXELS, zoom.device(images.height) * SHEET_PIXELS);
    let channels = if images.channels >= 3 { 3 } else { 1 };
    let width = columns * tile_width + columns.saturating_sub(1) * gap;
    let height = rows * tile_height + rows.saturating_sub(1) * gap;
    let mut pixels = vec![255; width * height * channels];
    let mut line = vec![0u8; tile_width * channels];
    for index in 0..images.n {
        let left = (index % columns) * (tile_width + gap);
        let top = (index / columns) * (tile_height + gap);
        // All rows of the sheet that show one row of the image are equal, so that each is made once.
        let repeat = match zoom {
            Zoom::Up(factor) => factor * SHEET_PIXELS,
            Zoom::Down(_) => SHEET_PIXELS,
        };
        for source_row in 0..tile_height / repeat {
            for (x, pixel) in line.chunks_exact_mut(channels).enumerate() {
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = gray(images, index, channel, source_row, x / repeat, zoom);
                }
            }
            for y in 0..repeat {
                let start = ((top + source_row * repeat + y) * width + left) * channels;
                pixels[start..start + line.len()].copy_from_slice(&line);
            }
        }
    }
    let across = (1..columns).map(|column| [column * (tile_width + gap) - gap, 0, gap, height]);
    let down = (1..rows).map(|row| [0, row * (tile_height + gap) - gap, width, gap]);
    let n_last = images.n.saturating_sub(rows.saturating_sub(1) * columns);
    let left = (n_last * (tile_width + gap)).min(width);
    let rest = [left, height.saturating_sub(tile_height), width - left, tile_height];
    let gaps = across.chain(down).chain([rest]).filter(|[_, _, width, height]| width * height > 0).collect();
    let is_cut = images.values.iter().any(|value| !(-UNSEEN..=1.0 + UNSEEN).contains(value));
    Sheet { width, height, channels, pixels, gaps, is_cut }
}

/// One value of an image, 0…255; out of range is clamped, not a number is drawn black.
fn gray(images: &ImageStack, index: usize, channel: usize, row: usize, column: usize, zoom: Zoom) -> u8 {
    let at = |row: usize, column: usize| {
        let offset = ((index * images.channels + channel) * images.height + row) * images.width + column;
        images.values.get(offset).copied().unwrap_or(0.0).clamp(0.0, 1.0)
    };
    let value = match zoom {
        Zoom::Up(_) => at(row, column),
        Zoom::Down(factor) => {
            let rows = row * factor..((row + 1) * factor).min(images.height);
            let columns = column * factor..((column + 1) * factor).min(images.width);
            let n = rows.len() * columns.len();
            let sum: f32 = rows.flat_map(|r| columns.clone().map(move |c| (r, c))).map(|(r, c)| at(r, c)).sum();
            sum / n.max(1) as f32
        }
    };
    (value * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(n: usize, channels: usize, height: usize, width: usize) -> ImageStack {
        let count = n * channels * height * width;
        ImageStack { n, channels, height, width, values: (0..count).map(|i| i as f32 / (count - 1) as f32).collect() }
    }

    #[test]
    fn pixels_are_repeated_not_mixed() {
        let sheet = sheet(&ramp(1, 1, 2, 2), 1, Zoom::Up(3), 0.0);
        assert_eq!((sheet.width, sheet.height, sheet.channels), (12, 12, 1));
        let mut seen = sheet.pixels.clone();
        seen.dedup();
        assert!(seen.iter().all(|v| [0, 85, 170, 255].contains(v)), "{seen:?}");
        assert_eq!(sheet.pixels[0..6], [0; 6]);
        assert_eq!(sheet.pixels[6..12], [85; 6]);
    }

    #[test]
    fn large_images_are_averaged() {
        let images = ImageStack { n: 1, channels: 3, height: 4, width: 4, values: vec![0.5; 48] };
        let zoom = Zoom::fitting(4, 2.0 * DEVICE_PIXEL);
        assert_eq!(zoom, Zoom::Down(2));
        let sheet = sheet(&images, 1, zoom, 0.0);
        assert_eq!((sheet.width, sheet.height, sheet.channels), (4, 4, 3));
        assert!(sheet.pixels.iter().all(|&v| v == 128));
    }

    #[test]
    fn values_out_of_range_are_clamped() {
        let images = ImageStack { n: 1, channels: 1, height: 1, width: 3, values: vec![-1.0, f32::NAN, 7.0] };
        let sheet = sheet(&images, 1, Zoom::Up(1), 0.0);
        assert_eq!(sheet.pixels[0..6], [0, 0, 0, 0, 255, 255]);
        assert!(sheet.is_cut);
    }

    #[test]
    fn tiles_are_separated_by_white() {
        let images = ImageStack { n: 3, channels: 1, height: 1, width: 1, values: vec![0.0; 3] };
        let sheet = sheet(&images, 2, Zoom::Up(1), DEVICE_PIXEL);
        assert_eq!((sheet.width, sheet.height), (6, 6));
        assert_eq!(sheet.pixels[0..6], [0, 0, 255, 255, 0, 0]);
        assert_eq!(sheet.pixels[24..30], [0, 0, 255, 255, 255, 255]);
        assert_eq!(sheet.gaps, [[2, 0, 2, 6], [0, 2, 6, 2], [4, 4, 2, 2]]);
    }
}
