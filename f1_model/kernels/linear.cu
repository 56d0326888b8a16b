// What follows a matrix product.
#include "common.cuh"

// In place: x = x + bias, then plus `onto` unless that is null, then gelu_tanh of the sum where `gelu` says so. x and onto
// [count / width][width], bias [width]. Each sum has the type's precision before the next step sees it, as if it had been written to memory.
template <typename T>
__device__ void add_bias(T *x, const T *bias, const T *onto, size_t count, int width, int gelu) {
  size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) {
    return;
  }
  float v = rounded<T>(load(x, i) + load(bias, i % width));
  if (onto) {
    v = rounded<T>(v + load(onto, i));
  }
  store(x, i, gelu ? gelu_tanh(v) : v);
}

#define ADD_BIAS(T) (T *x, const T *bias, const T *onto, size_t count, int width, int gelu)
FOR_BOTH(f1_add_bias, add_bias, ADD_BIAS, (x, bias, onto, count, width, gelu))
