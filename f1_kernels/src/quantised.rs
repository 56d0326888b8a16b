//! Linear layers whose weights are blocks of small integers.

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{DType, Module, Result, Tensor};

#[cfg(not(f1_portable))]
use super::q8_x86::Q8Matrix;

/// Quantised weights `[out, in]` of a linear layer, in the form that this device multiplies
/// fastest.
pub struct QuantisedMatrix(Form);

enum Form {
    /// Candle's kernels, for every block format and device.
    Candle(QMatMul),
    /// Byte dot products of x86-64 processors.
    #[cfg(not(f1_portable))]
    Bytes(Q8Matrix),
}

impl QuantisedMatrix {
    /// Takes the weights `[out, in]` of any block format.
    ///
    /// # Errors
    /// The tensor operation fails.
    pub fn new(weights: QTensor) -> Result<Self> {
        #[cfg(not(f1_portable))]
        if Q8Matrix::serves(&weights) {
            return Ok(Self(Form::Bytes(Q8Matrix::new(&weights)?)));
        }
        Ok(Self(Form::Candle(QMatMul::from_qtensor(weights)?)))
    }

    /// x `[.., in]` to `[.., out]`, in the type of `x`. Not differentiable.
    ///
    /// # Errors
    /// Another width or device.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let out = match &self.0 {
            Form::Candle(weights) => weights.forward(&x.to_dtype(DType::F32)?.contiguous()?)?,
            #[cfg(not(f1_portable))]
            Form::Bytes(weights) => weights.forward(x)?,
        };
        out.to_dtype(x.dtype())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_core::quantized::GgmlDType;

    use super::*;

    #[test]
    fn products_are_near_those_of_the_dense_weights() {
        let random = |shape| Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap();
        let (x, dense) = (random((5, 256)), random((48, 256)));
        for (format, tolerance) in [(GgmlDType::Q8_0, 0.02), (GgmlDType::Q4K, 0.15)] {
            let weights = QTensor::quantize(&dense, format).unwrap();
            let found = QuantisedMatrix::new(weights).unwrap().forward(&x).unwrap();
            let wanted = x.matmul(&dense.t().unwrap()).unwrap();
            let size =
                |x: &Tensor| x.sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap();
            let off = (size(&(found - &wanted).unwrap()) / size(&wanted)).sqrt();
            assert!(off > 0.0 && off < tolerance, "{format:?}: {off}");
        }
    }

    #[test]
    fn a_portable_build_has_no_x86_code() {
        let weights = Tensor::ones((8, 64), DType::F32, &Device::Cpu).unwrap();
        let weights = QTensor::quantize(&weights, GgmlDType::Q8_0).unwrap();
        let matrix = QuantisedMatrix::new(weights).unwrap();
        let portable = matches!(matrix.0, Form::Candle(_));
        if cfg!(f1_portable) {
            assert!(portable);
            assert!(matches!(crate::arch(), pulp::Arch::Scalar));
        }
    }
}
