// Elementwise operations after a matrix product.
#include "common.cuh"

// In place: x = x + bias, then plus `onto` unless that is null, then gelu_tanh of the sum if
// `gelu`. x and onto [rows][width], bias [width]. Each sum is rounded to the type before the
// next step, as if it had been written to memory. Blocks: [rows][blocks of a row]; a thread
// handles N numbers.
template <typename T, int N>
__device__ void add_bias(T* x, const T* bias, const T* onto, int width, int gelu) {
  int i = (blockIdx.y * blockDim.x + threadIdx.x) * N;
  if (i >= width) {
    return;
  }
  size_t row = static_cast<size_t>(blockIdx.x) * width;
  float v[N], b[N], o[N];
  load_some<N>(x + row, i, v);
  load_some<N>(bias, i, b);
  if (onto) {
    load_some<N>(onto + row, i, o);
  }
#pragma unroll
  for (int j = 0; j < N; j++) {
    v[j] = rounded<T>(v[j] + b[j]);
    if (onto) {
      v[j] = rounded<T>(v[j] + o[j]);
    }
    v[j] = gelu ? gelu_tanh(v[j]) : v[j];
  }
  store_some<N>(x + row, i, v);
}

#define ADD_BIAS(T) (T * x, const T* bias, const T* onto, int width, int gelu)
FOR_BOTH_BY_ONE_AND_EIGHT(f1_add_bias, add_bias, ADD_BIAS, (x, bias, onto, width, gelu))
