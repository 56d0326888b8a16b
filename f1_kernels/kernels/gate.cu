// The gate of the MLPs.
#include "common.cuh"

// out = gelu_tanh(gate) * up. out [rows][width]; rows of gate and of up are `stride` numbers
// apart, so that both may be halves of one matrix. Blocks: [rows][blocks of a row]; a thread
// handles N numbers.
template <typename T, int N>
__device__ void geglu(const T* gate, const T* up, T* out, int width, int stride) {
  int i = (blockIdx.y * blockDim.x + threadIdx.x) * N;
  if (i >= width) {
    return;
  }
  size_t from = static_cast<size_t>(blockIdx.x) * stride,
         to = static_cast<size_t>(blockIdx.x) * width;
  float a[N], b[N];
  load_some<N>(gate + from, i, a);
  load_some<N>(up + from, i, b);
#pragma unroll
  for (int j = 0; j < N; j++) {
    a[j] = gelu_tanh(a[j]) * b[j];
  }
  store_some<N>(out + to, i, a);
}

#define GEGLU(T) (const T* gate, const T* up, T* out, int width, int stride)
FOR_BOTH_BY_ONE_AND_EIGHT(f1_geglu, geglu, GEGLU, (gate, up, out, width, stride))
