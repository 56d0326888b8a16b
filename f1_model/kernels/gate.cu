// The gate of the MLPs.
#include "common.cuh"

// out = gelu_tanh(gate) * up, a thread a number.
template <typename T> __device__ void geglu(const T *gate, const T *up, T *out, size_t count) {
  size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) {
    return;
  }
  float g = load(gate, i);
  float inner = 0.7978845608028654f * (g + 0.044715f * g * g * g);
  store(out, i, 0.5f * g * (1.0f + tanhf(inner)) * load(up, i));
}

#define GEGLU(T) (const T *gate, const T *up, T *out, size_t count)
FOR_BOTH(f1_geglu, geglu, GEGLU, (gate, up, out, count))
