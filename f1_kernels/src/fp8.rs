//! Rounding to 8-bit floats, to see on a CPU what they cost.

use candle_core::{DType, Result, Tensor};

/// Numbers as 8-bit floats (E4M3) with one scale hold them, in the type of `x`.
///
/// # Errors
/// The tensor operation fails.
pub fn fp8_rounded(x: &Tensor) -> Result<Tensor> {
    /// The largest number of the format.
    const LARGEST: f64 = 448.0;
    let wide = x.to_dtype(DType::F32)?;
    let most = f64::from(wide.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?);
    // Below that there is nothing to scale.
    let scale = if most > 1e-30 { most / LARGEST } else { 1.0 };
    let small = (wide / scale)?.clamp(-LARGEST, LARGEST)?.to_dtype(DType::F8E4M3)?;
    (small.to_dtype(DType::F32)? * scale)?.to_dtype(x.dtype())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn rounding_to_8_bits_keeps_four_digits_of_a_binary_number_and_the_range() {
        // The largest decides the scale: here it is 2.
        let numbers = [896f32, -1.0, 2.0 + 1.0 / 8.0, 2.0 + 3.0 / 8.0, 30.0, 33.0, 1e-4, 0.0];
        let wanted = [896f32, -1.0, 2.0, 2.5, 30.0, 32.0, 0.0, 0.0];
        let x = Tensor::new(&numbers, &Device::Cpu).unwrap();
        assert_eq!(fp8_rounded(&x).unwrap().to_vec1::<f32>().unwrap(), wanted);
        let zeros = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
        assert_eq!(fp8_rounded(&zeros).unwrap().to_vec1::<f32>().unwrap(), [0f32; 3]);
    }
}
