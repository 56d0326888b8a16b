// What follows a matrix product.
#include "common.cuh"

// In place: x = x + bias, then gelu_tanh of that where `gelu` says so. x [count / width][width], bias [width]. The sum has the type's
// precision before the gate sees it, as if each had been written to memory.
template <typename T> __device__ void add_bias(T *x, const T *bias, size_t count, int width, int gelu) {
  size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) {
    return;
  }
  float v = rounded<T>(load(x, i) + load(bias, i % width));
  store(x, i, gelu ? gelu_tanh(v) : v);
}

#define ADD_BIAS(T) (T *x, const T *bias, size_t count, int width, int gelu)
FOR_BOTH(f1_add_bias, add_bias, ADD_BIAS, (x, bias, count, width, gelu))
