//! Prepares images for one network. For a GPU the 8-bit pixels are uploaded, and fitted or shrunk
//! there.

use candle_core::{Device, Tensor};
use image::RgbImage;

use crate::Result;

/// Prepares images on a device; for a GPU it caches the tables of recent image sizes.
#[derive(Default)]
pub(crate) struct ImageUploader {
    #[cfg(feature = "cuda")]
    tables: on_gpu::Tables,
}

impl ImageUploader {
    /// As [`super::prepare_camera`], `size` = width and height.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn camera(
        &self,
        image: &RgbImage,
        size: [usize; 2],
        device: &Device,
    ) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if device.is_cuda() {
            return self.tables.camera(image, (size[0], size[1]), device);
        }
        super::prepare_camera(image, size[0], size[1], device)
    }

    /// As [`super::prepare_frame`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn frame(
        &self,
        image: &RgbImage,
        side: usize,
        ratio: f64,
        device: &Device,
    ) -> Result<Tensor> {
        #[cfg(feature = "cuda")]
        if device.is_cuda() {
            return self.tables.frame(image, side, ratio, device);
        }
        super::prepare_frame(image, side, ratio, device)
    }
}

#[cfg(feature = "cuda")]
mod on_gpu {
    use std::sync::{Arc, Mutex, PoisonError};

    use candle_core::{Device, Tensor};
    use image::RgbImage;

    use super::super::fit::Fit;
    use super::super::{Shrink, centre, frame_size, square};
    use crate::{Error, Result};
    use f1_kernels::{FitOp, ShrinkOp};

    /// Sizes of images whose tables are kept.
    const SIZES: usize = 16;

    /// Width and height.
    type Size = (usize, usize);

    /// The most recent tables, by the sizes that they belong to.
    struct Newest<K, T>(Mutex<Vec<(K, Arc<T>)>>);

    impl<K, T> Default for Newest<K, T> {
        fn default() -> Self {
            Self(Mutex::default())
        }
    }

    impl<K: PartialEq, T> Newest<K, T> {
        fn get(&self, key: K, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, table)) = kept.iter().find(|(known, _)| *known == key) {
                return Ok(table.clone());
            }
            let table = Arc::new(make()?);
            if kept.len() == SIZES {
                kept.remove(0);
            }
            kept.push((key, table.clone()));
            Ok(table)
        }
    }

    /// Tables of fits by source and target, and of shrinks by source, side and ratio.
    #[derive(Default)]
    pub(super) struct Tables {
        fits: Newest<(Size, Size), (FitOp, Tensor)>,
        shrinks: Newest<(Size, usize, u64), (ShrinkOp, Tensor, Tensor)>,
    }

    impl Tables {
        pub(super) fn camera(
            &self,
            image: &RgbImage,
            target: Size,
            device: &Device,
        ) -> Result<Tensor> {
            let source = size(image);
            let table = self.fits.get((source, target), || {
                let Fit { left, top, columns, rows, .. } = Fit::new(source, target)?;
                let shown = (target.0 - left, target.1 - top);
                let table = FitOp::table(columns.iter().chain(&rows), device)?;
                Ok((FitOp { source, target, shown }, table))
            })?;
            Ok(pixels(image, device)?.apply_op2_no_bwd(&table.1, &table.0)?)
        }

        pub(super) fn frame(
            &self,
            image: &RgbImage,
            side: usize,
            ratio: f64,
            device: &Device,
        ) -> Result<Tensor> {
            let source = size(image);
            let table = self.shrinks.get((source, side, ratio.to_bits()), || {
                let (width, height) = frame_size(image.width(), image.height(), side, ratio);
                let window = square(side, centre(width, side), centre(height, side));
                let shrink = Shrink::new(image.dimensions(), (width, height), window)?;
                let (across, columns) = ShrinkOp::table(&shrink.across, 0, device)?;
                let (down, rows) = ShrinkOp::table(&shrink.down, shrink.rows.0, device)?;
                let op = ShrinkOp {
                    source,
                    window: (side, side),
                    rows: shrink.rows,
                    taps: (columns, rows),
                };
                Ok((op, across, down))
            })?;
            Ok(pixels(image, device)?.apply_op3_no_bwd(&table.1, &table.2, &table.0)?)
        }
    }

    fn size(image: &RgbImage) -> Size {
        (image.width() as usize, image.height() as usize)
    }

    /// `u8 [height, width, 3]`.
    fn pixels(image: &RgbImage, device: &Device) -> Result<Tensor> {
        let (width, height) = size(image);
        if width == 0 || height == 0 {
            return Err(Error::input("an image without pixels"));
        }
        Ok(Tensor::from_slice(image.as_raw(), (height, width, 3), device)?)
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::image_prep::{prepare_camera, prepare_frame};

        #[test]
        fn a_gpu_prepares_the_same_bits_as_a_processor() {
            let (gpu, tables) = (f1_kernels::device::cuda().expect("a GPU"), Tables::default());
            for (width, height) in
                [(640, 480), (480, 640), (37, 50), (300, 1), (224, 224), (1280, 720)]
            {
                let image = RgbImage::from_fn(width, height, |x, y| {
                    let value = |factor: u32| (factor * x * x + 31 * y * (x + 1)) as u8;
                    image::Rgb([value(1), value(3), value(7)])
                });
                // The second time from the cached tables.
                for _ in 0..2 {
                    let bits =
                        |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    let found = bits(tables.camera(&image, (224, 224), &gpu).unwrap());
                    assert!(found == bits(prepare_camera(&image, 224, 224, &Device::Cpu).unwrap()));
                    let found = bits(tables.frame(&image, 64, 1.125, &gpu).unwrap());
                    assert!(found == bits(prepare_frame(&image, 64, 1.125, &Device::Cpu).unwrap()));
                }
            }
        }
    }
}
