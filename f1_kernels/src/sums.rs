//! Sums of whole tensors.

use candle_core::{Result, Tensor};

/// Numbers summed by one block of threads in [`sum_in_parts`].
const PART: usize = 4096;

/// Sum of all numbers, a scalar. On a GPU in two steps, because candle's own sum runs one block of
/// threads for the whole tensor.
///
/// # Errors
/// The tensor operation fails.
pub fn sum_in_parts(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.sum_all() } else { sum_of_parts(x) }
}

fn sum_of_parts(x: &Tensor) -> Result<Tensor> {
    let flat = x.flatten_all()?;
    let count = flat.elem_count();
    let rest = count % PART;
    if rest == count {
        return flat.sum_all();
    }
    let sum = flat.narrow(0, 0, count - rest)?.reshape(((), PART))?.sum(1)?.sum_all()?;
    if rest == 0 { Ok(sum) } else { sum + flat.narrow(0, count - rest, rest)?.sum_all()? }
}

/// Sum of scalars in f32, added in f64 in their order. The host waits for the device once.
///
/// # Errors
/// The tensor operation fails, or the scalars are on several devices.
pub fn sum_on_host(scalars: &[Tensor]) -> Result<f64> {
    if scalars.is_empty() {
        return Ok(0.0);
    }
    Ok(Tensor::stack(scalars, 0)?.to_vec1::<f32>()?.into_iter().map(f64::from).sum())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn parts_add_up_to_the_sum() {
        for shape in [(1, 1), (3, 1000), (2, PART), (7, PART / 2), (5, PART + 3)] {
            // Integers below 2^24: every order gives the same sum.
            let values = Tensor::arange(0f32, (shape.0 * shape.1) as f32, &Device::Cpu).unwrap();
            let values = (values.reshape(shape).unwrap() / 8.0)
                .unwrap()
                .floor()
                .unwrap()
                .clamp(0f32, 500f32);
            let values = values.unwrap();
            let sums = [sum_in_parts(&values).unwrap(), sum_of_parts(&values).unwrap()];
            let [whole, parts] = sums.each_ref().map(|sum| sum.to_scalar::<f32>().unwrap());
            assert_eq!(whole, parts, "{shape:?}");
            assert_eq!(sum_on_host(&sums).unwrap(), 2.0 * f64::from(whole));
        }
        assert_eq!(sum_on_host(&[]).unwrap(), 0.0);
    }
}
