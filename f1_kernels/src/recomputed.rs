//! Operations of which training keeps only the inputs: the backward pass recomputes the values
//! between inputs and result.

use std::sync::{Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Storage,
    Tensor, Var, bail,
};

/// `forward` of `inputs` (one to three) with the gradients of `plain`, the same function in
/// differentiable operations. Without a tracked input it is `forward` alone.
///
/// # Errors
/// Those of either function.
pub(crate) fn recomputed<const N: usize>(
    inputs: [&Tensor; N],
    forward: impl Fn([&Tensor; N]) -> Result<Tensor>,
    plain: impl Fn([&Tensor; N]) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    with_gradients(inputs, forward, move |inputs, grad| again(inputs, grad, &plain))
}

/// `forward` of `inputs` (one to three); `backward` computes their gradients from the inputs and
/// the result's gradient, none for an input that is not tracked.
///
/// # Errors
/// Those of either function.
pub fn with_gradients<const N: usize>(
    inputs: [&Tensor; N],
    forward: impl Fn([&Tensor; N]) -> Result<Tensor>,
    backward: impl Fn([&Tensor; N], &Tensor) -> Result<[Option<Tensor>; N]> + Send + Sync + 'static,
) -> Result<Tensor> {
    if !inputs.iter().any(|input| input.track_op()) {
        return forward(inputs);
    }
    let detached = inputs.map(Tensor::detach);
    let out = forward(each(&detached))?.contiguous()?;
    let backward = move |inputs: &[&Tensor], grad: &Tensor| match <[&Tensor; N]>::try_from(inputs) {
        Ok(inputs) => Ok(backward(inputs, grad)?.into()),
        Err(_) => bail!("a backward pass over {} inputs, not {N}", inputs.len()),
    };
    let op = Known { out: Mutex::new(Some(out)), backward: Box::new(backward) };
    match inputs.as_slice() {
        [a] => a.apply_op1(op),
        [a, b] => a.apply_op2(b, op),
        [a, b, c] => a.apply_op3(b, c, op),
        more => bail!("an operation of {} inputs cannot be recomputed", more.len()),
    }
}

/// Gradients of `plain` at `inputs` for the gradient `grad` of its result.
fn again<const N: usize>(
    inputs: [&Tensor; N],
    grad: &Tensor,
    plain: &impl Fn([&Tensor; N]) -> Result<Tensor>,
) -> Result<[Option<Tensor>; N]> {
    let variables = inputs.map(|input| input.track_op().then(|| Var::from_tensor(&input.detach())));
    let mut fresh = inputs.map(Tensor::detach);
    let mut wanted = Vec::with_capacity(N);
    for (fresh, variable) in fresh.iter_mut().zip(variables) {
        let variable = variable.transpose()?;
        if let Some(variable) = &variable {
            *fresh = variable.as_tensor().clone();
        }
        wanted.push(variable);
    }
    // Candle starts from a gradient of one for each number, so the gradient of this product with
    // respect to the result is exactly `grad`.
    let mut gradients = plain(each(&fresh))?.mul(grad)?.backward()?;
    let mut found = [const { None }; N];
    for (found, variable) in found.iter_mut().zip(wanted) {
        // Detached: otherwise it would keep all values in between.
        *found = variable
            .and_then(|variable| gradients.remove(&variable))
            .map(|gradient| gradient.detach());
    }
    Ok(found)
}

fn each<const N: usize>(tensors: &[Tensor; N]) -> [&Tensor; N] {
    std::array::from_fn(|index| &tensors[index])
}

type Backward = dyn Fn(&[&Tensor], &Tensor) -> Result<Vec<Option<Tensor>>> + Send + Sync;

/// An operation whose result is already computed.
struct Known {
    /// Taken by the forward pass, which runs once.
    out: Mutex<Option<Tensor>>,
    backward: Box<Backward>,
}

impl Known {
    fn take<S: BackendStorage>(&self, of: impl Fn(&Storage) -> Option<&S>) -> Result<(S, Shape)> {
        let Some(out) = self.out.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            bail!("an operation that is known once was asked for twice")
        };
        let (storage, layout) = out.storage_and_layout();
        match of(&storage) {
            Some(storage) => Ok((storage.try_clone(layout)?, layout.shape().clone())),
            None => bail!("a result is on another device than its inputs"),
        }
    }

    fn gradients<const N: usize>(
        &self,
        inputs: [&Tensor; N],
        grad: &Tensor,
    ) -> Result<[Option<Tensor>; N]> {
        match (self.backward)(&inputs, grad)?.try_into() {
            Ok(gradients) => Ok(gradients),
            Err(_) => bail!("a backward pass did not answer for {N} inputs"),
        }
    }

    fn on_cpu(&self) -> Result<(CpuStorage, Shape)> {
        self.take(|storage| if let Storage::Cpu(storage) = storage { Some(storage) } else { None })
    }

    fn on_cuda(&self) -> Result<(CudaStorage, Shape)> {
        self.take(|storage| if let Storage::Cuda(storage) = storage { Some(storage) } else { None })
    }
}

const NAME: &str = "f1-recomputed";

impl CustomOp1 for Known {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn bwd(&self, a: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let [a] = self.gradients([a], grad)?;
        Ok(a)
    }
}

impl CustomOp2 for Known {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok(self.gradients([a, b], grad)?.into())
    }
}

impl CustomOp3 for Known {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.on_cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.on_cuda()
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        Ok(self.gradients([a, b, c], grad)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        LayerNormWeights, attention, attention_plain, geglu, layer_norm, layer_norm_plain,
        rms_norm, rms_norm_plain, rope, rope_plain,
    };
    use candle_core::backprop::GradStore;
    use candle_core::{DType, Device};

    /// In f64, which no fused CPU kernel takes.
    fn wide(shape: &[usize]) -> Var {
        Var::from_tensor(&Tensor::randn(0f64, 1.0, shape, &Device::Cpu).unwrap()).unwrap()
    }

    fn agree(inputs: &[&Var], found: Result<Tensor>, plain: Result<Tensor>) {
        let (found, plain) = (found.unwrap(), plain.unwrap());
        let weights = Tensor::randn(0f64, 1.0, plain.shape(), &Device::Cpu).unwrap();
        let gradients = |out: &Tensor| -> GradStore {
            out.mul(&weights).unwrap().sum_all().unwrap().backward().unwrap()
        };
        let far = |a: &Tensor, b: &Tensor| {
            (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap()
        };
        assert!(far(&found, &plain) < 1e-6);
        let (of_found, of_plain) = (gradients(&found), gradients(&plain));
        for (i, input) in inputs.iter().enumerate() {
            let (found, plain) = (of_found.get(input).unwrap(), of_plain.get(input).unwrap());
            assert!(far(found, plain) < 1e-5, "gradient {i} is off by {}", far(found, plain));
            assert!(far(plain, &plain.zeros_like().unwrap()) > 1e-3, "gradient {i} is nothing");
        }
    }

    #[test]
    fn gradients_computed_again_are_those_of_the_plain_operation() {
        let (x, delta, row, bias) = (wide(&[2, 3, 8]), wide(&[2, 3, 8]), wide(&[8]), wide(&[8]));
        agree(&[&x, &row], rms_norm(&x, &row, 1e-6), rms_norm_plain(&x, &row, 1e-6));
        let norm =
            LayerNormWeights::new(row.as_tensor().clone(), bias.as_tensor().clone()).unwrap();
        agree(
            &[&x, &row, &bias],
            layer_norm(&x, &norm, 1e-6),
            layer_norm_plain(&x, &row, &bias, 1e-6),
        );
        agree(&[&x, &delta], geglu(&x, &delta), x.gelu().unwrap().mul(&delta));

        let (q, k, v) = (wide(&[2, 3, 4, 6]), wide(&[2, 5, 2, 6]), wide(&[2, 5, 2, 6]));
        let mask = Tensor::new(
            &[[[0f32, -1e4, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.5, 0.0, -1e4]]],
            &Device::Cpu,
        )
        .unwrap();
        let plain = attention_plain(&q, &k, &v, Some(&mask), 0.4);
        agree(&[&q, &k, &v], attention(&q, &k, &v, Some(&mask), 0.4), plain);
        let angles = Tensor::randn(0f32, 1.0, (2, 1, 3, 3), &Device::Cpu).unwrap();
        agree(&[&q], rope(&q, &angles), rope_plain(&q, &angles));
    }

    #[test]
    fn a_linear_layer_with_a_bias_has_the_gradients_of_its_parts() {
        let (x, weight, bias) = (wide(&[2, 3, 8]), wide(&[5, 8]), wide(&[5]));
        let found = crate::linear(&x, &weight, Some(&bias));
        let plain = x.broadcast_matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias);
        agree(&[&x, &weight, &bias], found, plain);
    }

    #[test]
    fn only_wanted_gradients_are_computed_and_they_hold_no_graph() {
        let (gate, up) = (wide(&[4, 3]), wide(&[4, 3]));
        let fixed = up.as_tensor().detach();
        let gradients = geglu(&gate, &fixed).unwrap().sum_all().unwrap().backward().unwrap();
        assert!(gradients.get(&gate).is_some() && gradients.get(&fixed).is_none());
        let inputs = [gate.as_tensor(), up.as_tensor()];
        let ones = Tensor::ones((4, 3), DType::F64, &Device::Cpu).unwrap();
        let found = again(inputs, &ones, &|[gate, up]| gate.gelu()?.mul(up)).unwrap();
        assert!(found.iter().flatten().all(|gradient| !gradient.track_op()));
    }
}
