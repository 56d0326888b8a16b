// The gate of the MLPs.
#include "common.cuh"

// out = gelu_tanh(gate) * up, a thread a number. out [count / width][width]; rows of gate and of up are `stride` numbers apart, so that
// both may be halves of one matrix.
template <typename T>
__device__ void geglu(const T *gate, const T *up, T *out, size_t count, int width, int stride) {
  size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) {
    return;
  }
  size_t at = i / width * stride + i % width;
  store(out, i, gelu_tanh(load(gate, at)) * load(up, at));
}

#define GEGLU(T) (const T *gate, const T *up, T *out, size_t count, int width, int stride)
FOR_BOTH(f1_geglu, geglu, GEGLU, (gate, up, out, count, width, stride))
